"""Who was overtaken, or forgotten by the store, changes nothing and tells nobody."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from baton import Agent, Call, Pending, Registry, tool
from baton.engine.work_items import ItemKind
from baton.models.model import ModelAnswer, ModelRequest
from tests.unit.baton.kit.stage import Stage


class Hooked:
    name = "hooked"
    reads_history = True

    def __init__(self) -> None:
        self.meanwhile: Callable[[], None] = lambda: None

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        self.meanwhile()
        return ModelAnswer(calls=(Call("look", {}),)) if request.turn == 1 else ModelAnswer("seen")


def staged(model: Hooked, while_looking: Callable[[], None] = lambda: None, found: Pending | int = 1) -> Stage:
    @tool(retries=0)
    async def look() -> Pending | int:
        while_looking()
        return found

    return Stage(registry=Registry([Agent("looks", model=model, tools=[look])]))


def added_anew(stage: Stage) -> None:
    """A failover has forgotten the job's work item, which somebody has added again since."""
    tree = stage.store.tree("job_1")
    items = {key: replace(item, since_ms=item.since_ms + 1, owner="") for key, item in tree.items.items()}
    stage.store.write("job_1", replace(tree, items=items))


async def test_a_turn_that_was_added_anew_meanwhile_is_asked_anew() -> None:
    """It was told what a failover has forgotten; another answer may be right by now."""
    model = Hooked()
    stage = staged(model)
    model.meanwhile = lambda: added_anew(stage)
    outcome = await stage.deliver(await stage.submit("looks"), "m-turn")
    assert outcome.label == "overtaken"
    assert [item.kind for item in await stage.items()] == [ItemKind.LOOP]


async def test_a_call_that_was_redriven_anew_meanwhile_counts_all_the_same() -> None:
    """Its arguments are recorded: it would do the same again."""
    stages = list[Stage]()
    stage = staged(Hooked(), lambda: added_anew(stages[0]))
    stages.append(stage)
    await stage.deliver(await stage.submit("looks"), "m-turn")
    outcome = await stage.deliver(stage.events()[-1], "m-call")
    assert outcome.label == "done"


@pytest.mark.parametrize("overtaken", [False, True])
async def test_an_outcome_is_looked_for_once_it_is_recorded_that_a_call_waits(*, overtaken: bool) -> None:
    stages = list[Stage]()

    def meanwhile() -> None:
        if overtaken:
            tree = stages[0].store.tree("job_1")
            stages[0].store.write("job_1", replace(tree, items={}))

    stages.append(staged(Hooked(), meanwhile, Pending(timeout_seconds=60)))
    stage = stages[0]
    await stage.deliver(await stage.submit("looks"), "m-turn")
    call = stage.events()[-1]
    outcome = await stage.deliver(call, "m-call")
    assert (outcome.label, len(stage.outcomes.waiting)) == (("overtaken", 0) if overtaken else ("done", 1))
