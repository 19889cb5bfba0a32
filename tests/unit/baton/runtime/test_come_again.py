"""A message that comes again while its first delivery is at work: the queue has lost the connection, not the function.

The second delivery dispatches what the message carries, and it may be acknowledged; so the first publishes what
follows.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from baton import Agent, Call, Pending, Registry, ScriptedModel, tool
from baton_events.schema import Event
from tests.unit.baton.kit.losing_answers import LosingAnswers
from tests.unit.baton.kit.stage import SETTINGS, Stage


async def interrupted(body: Callable[[], Pending | int], losses: int) -> tuple[Stage, Event]:
    """A job in place, and its first event: it comes again while the job's only tool runs, as `body` does then.

    `losses`: so many answers to COMMITs are lost after that.
    """
    store, again = LosingAnswers(), list[Event]()

    @tool
    async def look() -> Pending | int:
        if again:
            outcome = await stage.deliver(again.pop(), "m-turn", retried=1)
            assert (outcome.label, outcome.dispatched) == ("applied", 1)
            store.losses = losses
        return body()

    registry = Registry([Agent("looks", model=ScriptedModel([[Call("look", {})], "seen"]), tools=[look])])
    stage = Stage(settings=replace(SETTINGS, continuation="inline"), store=store, registry=registry)
    again.append(await stage.submit("looks"))
    return stage, again[0]


@pytest.mark.parametrize("losses", [0, 1])
@pytest.mark.parametrize(
    ("body", "follows"),
    [(lambda: 1, "agent.loop.init"), (lambda: Pending(timeout_seconds=0, otherwise=1), "tool.execution.complete")],
    ids=["a turn", "a wait that is over"],
)
async def test_what_follows_is_published(body: Callable[[], Pending | int], follows: str, losses: int) -> None:
    """Also by who does not hear that somebody else dispatches it: the answer to its COMMIT was lost."""
    stage, first = await interrupted(body, losses)
    outcome = await stage.deliver(first, "m-turn")
    assert (stage.events()[-1].type, outcome.dispatched) == (follows, 1)
    assert [item.owner for item in await stage.items()] == [""]
    await stage.run()
    assert (await stage.snapshot()).job.result == {"answer": "seen"}
