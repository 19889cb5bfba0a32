"""Who was overtaken, or forgotten by the store, changes nothing and tells nobody."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from baton import Agent, Call, Pending, Registry, tool
from baton.engine.work_items import ItemKind
from baton.models.model import ModelAnswer, ModelRequest
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.kit.stage import Stage

Happens = Callable[[Stage], None]


def added_anew(stage: Stage) -> None:
    """A failover has forgotten the job's work item, which somebody has added again since."""
    tree = stage.store.tree("job_1")
    items = {key: replace(item, since_ms=item.since_ms + 1, owner="") for key, item in tree.items.items()}
    stage.store.write("job_1", replace(tree, items=items))


def done(stage: Stage) -> None:
    stage.store.write("job_1", replace(stage.store.tree("job_1"), items={}))


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
        pytest.param(added_anew, 1, "done", 0, id="a call that was redriven anew counts all the same"),
        pytest.param(nothing, Pending(timeout_seconds=60), "done", 1, id="the outcome of a call that waits is awaited"),
        pytest.param(done, Pending(timeout_seconds=60), "overtaken", 0, id="not by who has recorded nothing"),
    ],
)
async def test_what_becomes_of_a_call(in_call: Happens, found: Pending | int, label: str, waiting: int) -> None:
    stage = staged(in_call=in_call, found=found)
    await stage.deliver(await stage.submit("looks"), "m-turn")
    outcome = await stage.deliver(stage.events()[-1], "m-call")
    assert (outcome.label, len(stage.outcomes.waiting)) == (label, waiting)
