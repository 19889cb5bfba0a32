"""A message that comes again while its first delivery is at work: the queue has lost the connection, not the function.

The second delivery dispatches what the message carries, and it may be acknowledged; so the first publishes what
follows.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from baton import Agent, Call, Pending, Registry, ScriptedModel, tool
from baton_events.errors import StoreError
from baton_events.schema import Event
from tests.unit.baton.kit.faults import fail
from tests.unit.baton.kit.stage import SETTINGS, Stage


@pytest.mark.parametrize("losses", [0, 1])
@pytest.mark.parametrize(
    ("body", "follows"),
    [
        pytest.param(lambda: 1, "agent.loop.init", id="a turn"),
        pytest.param(
            lambda: Pending(timeout_seconds=0, otherwise=1), "tool.execution.complete", id="a wait that is over"
        ),
    ],
)
async def test_what_follows_is_published(body: Callable[[], Pending | int], follows: str, losses: int) -> None:
    """Also by who does not hear that somebody else dispatches it: the answer to its COMMIT was lost."""
    again = list[Event]()

    @tool
    async def look() -> Pending | int:
        if again:
            came = await stage.deliver(again.pop(), "m-turn", retried=1)
            assert (came.label, came.dispatched) == ("applied", 1)
            fail(stage.store, "commit", StoreError("no answer"), losses, applied=True)
        return body()

    registry = Registry([Agent("looks", model=ScriptedModel([[Call("look", {})], "seen"]), tools=[look])])
    stage = Stage(settings=replace(SETTINGS, continuation="inline"), registry=registry)
    first = await stage.submit("looks")
    again.append(first)
    outcome = await stage.deliver(first, "m-turn")
    assert (stage.events()[-1].type, outcome.dispatched) == (follows, 1)
    assert [item.owner for item in await stage.items()] == [""]
    await stage.run()
    assert (await stage.snapshot()).job.result == {"answer": "seen"}
