"""Who was overtaken, or forgotten by the store, changes nothing; a message may come again while it is at work."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from msgspec import structs

from baton import Agent, Call, Pending, Registry, ScriptedModel, tool
from baton.engine.work_items import ItemKind
from baton.sdk.models.model import ModelAnswer, ModelRequest
from baton_events.errors import StoreError
from baton_events.schema import Event
from tests.unit.baton.kit.faults import fail
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.kit.stage import SETTINGS, Stage

Happens = Callable[[Stage], None]


def added_anew(stage: Stage) -> None:
    """A failover has forgotten the job's work item, which somebody has added again since."""
    tree = stage.store.tree("job_1")
    items = {key: structs.replace(item, since_ms=item.since_ms + 1, owner="") for key, item in tree.items.items()}
    stage.store.write("job_1", structs.replace(tree, items=items))


def done(stage: Stage) -> None:
    stage.store.write("job_1", structs.replace(stage.store.tree("job_1"), items={}))


def nothing(_stage: Stage) -> None:
    pass


def staged(in_turn: Happens = nothing, in_call: Happens = nothing, found: Pending | int = 1) -> Stage:
    """A job whose first turn calls one tool; what happens while it does, and while the tool runs."""

    @tool(retries=0)
    async def look() -> Pending | int:
        in_call(stage)
        return found

    def answer(request: ModelRequest) -> ModelAnswer:
        in_turn(stage)
        return ModelAnswer(calls=(Call("look", {}),)) if request.turn == 1 else ModelAnswer("seen")

    stage = Stage(registry=Registry([Agent("looks", model=Listening(answer), tools=[look])]))
    return stage


async def test_a_turn_that_was_added_anew_meanwhile_is_asked_anew() -> None:
    """It was told what a failover has forgotten; another answer may be right by now."""
    stage = staged(added_anew)
    outcome = await stage.deliver(await stage.submit("looks"), "m-turn")
    assert outcome.label == "overtaken"
    assert [item.kind for item in await stage.items()] == [ItemKind.LOOP]


@pytest.mark.parametrize(
    ("in_call", "found", "label", "waiting"),
    [
        # Its arguments are recorded: it would do the same again.
        pytest.param(added_anew, 1, "done", 0, id="a call that was replayed anew counts all the same"),
        pytest.param(nothing, Pending(timeout_seconds=60), "done", 1, id="the outcome of a call that waits is awaited"),
        pytest.param(done, Pending(timeout_seconds=60), "overtaken", 0, id="not by who has recorded nothing"),
    ],
)
async def test_what_becomes_of_a_call(in_call: Happens, found: Pending | int, label: str, waiting: int) -> None:
    stage = staged(in_call=in_call, found=found)
    await stage.deliver(await stage.submit("looks"), "m-turn")
    outcome = await stage.deliver(stage.events()[-1], "m-call")
    assert (outcome.label, await stage.ports.operation_stream.expected(stage.clock.ms)) == (label, waiting)


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
