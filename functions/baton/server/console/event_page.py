"""One app event: its data, what became of it with each handler, and the jobs that these have started.

Must not: send or start anything.
"""

from collections.abc import Iterable, Sequence

from starlette.responses import Response

from baton.queue.ports import QueuedMessage
from baton.sdk.agents.agent import Agent
from baton.server.api.app_events import app_event_view
from baton.server.api.jobs.context import Context
from baton.server.console.gate import Visit
from baton.store.ports.jobs import Reader
from baton_events.app_event import AppEvent, parse_app_event
from baton_events.errors import MalformedEventError
from baton_events.ids import job_of_call, started_job_id

_MOST_OF_AN_AGENT = 20


async def show_event(context: Context, visit: Visit) -> Response:
    """Show one event."""
    event = await app_event_view(context, visit.principal, visit.request.path_params["event_id"])
    jobs = [each["jobId"] for each in event["handlers"] if each["jobId"]]
    calls = await context.container.ports.reader.calls(jobs)
    names = [call.id for each in calls.values() for call in each]
    started = await started_by(context.container.ports.reader, names, context.container.registry.agents)
    return visit.page("event.html", event=event, started=started)


async def started_by(reader: Reader, calls: Iterable[str], agents: Iterable[Agent]) -> dict[str, list[str]]:
    """Return the jobs that handlers' calls have started, by the job of the call; at most so many of each agent.

    Nothing records them: their ids follow from the call. Jobs of a key (`once_for`) have other ids.
    """
    pairs = [(call, agent.name) for call in calls for agent in agents]

    async def there(pairs: Sequence[tuple[str, str]], numbers: range) -> list[tuple[str, str, str]]:
        named = [(call, agent, started_job_id(call, agent, nth)) for call, agent in pairs for nth in numbers]
        known = await reader.known([job_id for _, _, job_id in named])
        return [each for each in named if each[2] in known]

    first = await there(pairs, range(1, 2))
    more = await there([(call, agent) for call, agent, _ in first], range(2, _MOST_OF_AN_AGENT + 1))
    started: dict[str, list[str]] = {}
    for call, _, job_id in [*first, *more]:
        started.setdefault(job_of_call(call), []).append(job_id)
    return started


def event_in(message: QueuedMessage) -> AppEvent | None:
    """Return the app event that a message brings; None: it brings something else."""
    try:
        return parse_app_event(message.body.encode("utf-8", "surrogatepass"))
    except MalformedEventError:
        return None
