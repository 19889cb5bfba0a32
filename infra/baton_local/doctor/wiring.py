"""Whether topics, endpoints and schedules are as the code needs them."""

from baton.configuration.settings import Settings
from baton_events.errors import PublishError
from baton_local.doctor.finding import Finding, failed, note, ok, warning
from baton_local.setup.account import Account
from baton_local.setup.change import PutDefaults, PutEndpoint, PutSchedule, RemoveEndpoint
from baton_local.setup.difference import Difference, difference
from baton_local.setup.wanted import wanted_of

TOPICS, SCHEDULES = "topics", "schedules"
_SETUP = "run `baton setup`"


async def look_at_account(account: Account, settings: Settings) -> list[Finding]:
    """What is to be said of it."""
    try:
        found = difference(wanted_of(settings), await account.look())
    except PublishError as error:
        return [failed(TOPICS, f"they cannot be read: {error}", "check that the token may do more than publish")]
    return [*_topics(found, settings), *_schedules(found)]


def _topics(found: Difference, settings: Settings) -> list[Finding]:
    wrong = [_topic(change, settings) for change in found.changes if isinstance(change, PutEndpoint)]
    more = [_more(change) for change in found.left if isinstance(change, RemoveEndpoint)]
    if any(isinstance(change, PutDefaults) for change in found.changes) and not wrong:
        more.append(note(TOPICS, "their default options are not set, or not reported by this queue", _SETUP))
    return [*wrong, *more] or [ok(TOPICS, f"{settings.topic_prefix}.…: each event type has its endpoint")]


def _topic(change: PutEndpoint, settings: Settings) -> Finding:
    if change.before:
        text = f"topic {change.topic} delivers to {change.before}, not to {change.endpoint.url}"
    else:
        text = f"topic {change.topic} does not deliver to {change.endpoint.url}, or is not there"
    if settings.publish_by == "topic":
        return failed(TOPICS, f"{text}: its events are lost", f"{_SETUP}, or set PUBLISH_BY=url")
    return warning(TOPICS, f"{text}; PUBLISH_BY=url does not use it", _SETUP)


def _more(change: RemoveEndpoint) -> Finding:
    where = change.endpoint.url or change.endpoint.name
    return warning(
        TOPICS,
        f"topic {change.topic} also delivers to {where}: every event goes there, too",
        "run `baton setup --prune`",
    )


def _schedules(found: Difference) -> list[Finding]:
    wrong = [_schedule(change) for change in found.changes if isinstance(change, PutSchedule)]
    return wrong or [ok(SCHEDULES, "the sweep comes every hour")]


def _schedule(change: PutSchedule) -> Finding:
    why = change.why or "it is not there"
    return failed(
        SCHEDULES, f"schedule {change.schedule.id}: {why}; jobs that a failover forgot stay where they are", _SETUP
    )
