"""A message that comes again while its first delivery is at work: the queue has lost the connection, not the function.

The second delivery hands on what the message carries, and it may be acknowledged; so the first publishes what follows.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from events.schema import Event
from functions.agents.agent import Agent
from functions.agents.registry import Registry
from functions.models.call import Call
from functions.models.scripted import ScriptedModel
from functions.tools.pending import Pending
from functions.tools.tool import tool
from tests.unit.functions.losing_answers import LosingAnswers
from tests.unit.functions.stage import SETTINGS, Stage


@dataclass
class Interrupted:
    """One job in place: while its tool runs, its message comes again. `losses`: of answers after that."""

    stage: Stage
    store: LosingAnswers
    first: Event

    async def while_it_runs(self, losses: int) -> None:
        """The message comes again."""
        again = await self.stage.deliver(self.first, "m-turn", retried=1)
        assert (again.word, again.handed_on) == ("applied", 1)
        self.store.losses = losses


async def of_tool(body: Callable[[], Pending | int], losses: int) -> Interrupted:
    """A job whose only tool call is done by `body`."""
    meanwhile: list[Callable[[], Awaitable[None]]] = []

    @tool
    async def look() -> Pending | int:
        """Look around."""
        if meanwhile:
            await meanwhile.pop()()
        return body()

    store, registry = (
        LosingAnswers(),
        Registry([Agent("looks", model=ScriptedModel([[Call("look", {})], "seen"]), tools=[look])]),
    )
    stage = Stage(settings=replace(SETTINGS, continuation="inline"), store=store, registry=registry)
    job = Interrupted(stage, store, await stage.submit("looks"))
    meanwhile.append(lambda: job.while_it_runs(losses))
    return job


@pytest.mark.parametrize("losses", [0, 1])
@pytest.mark.parametrize(
    ("body", "follows"),
    [(lambda: 1, "agent.loop.init"), (lambda: Pending(timeout_seconds=0, otherwise=1), "tool.execution.complete")],
    ids=["a turn", "a wait that is over"],
)
async def test_what_follows_is_published(body: Callable[[], Pending | int], follows: str, losses: int) -> None:
    """Also by who does not hear that somebody else hands it on: the answer to its COMMIT was lost."""
    job = await of_tool(body, losses)
    outcome = await job.stage.deliver(job.first, "m-turn")
    assert (job.stage.events()[-1].type, outcome.handed_on) == (follows, 1)
    assert [leg.owner for leg in await job.stage.legs()] == [""]
    await job.stage.run()
    assert (await job.stage.snapshot()).job.result == {"answer": "seen"}
