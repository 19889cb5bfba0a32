"""`@tool(starts=1)`: a call that has begun is never begun again, whatever asks for it; who asked is told in words."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from baton import (
    Agent,
    Call,
    CallLimit,
    Registry,
    ScriptedModel,
    Step,
    ToolContext,
    ToolError,
    task_data,
    tool,
    workflow,
)
from baton.engine.commit.answers import Claim
from baton.engine.decide import decide
from baton.engine.step_results import Started
from baton.engine.work_items import ItemKind
from baton.sdk.agents.registry import RegistryError
from baton.sdk.models.model import ModelAnswer, ModelRequest
from baton.sdk.records.transcript import ONCE
from baton.sdk.tools import printed
from baton.sdk.tools.pending import RunAgain
from baton.testing import Approve, Simulation
from baton.worker.runtime.claims import Claims, Holding
from baton.worker.runtime.policy import Policy
from baton_events.errors import StoreError
from tests.fakes.clock import FakeClock
from tests.fakes.stored import FakeStore
from tests.unit.baton.engine.sample_state import NOW_MS, call_record, call_state
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.kit.stage import Stage

PAID = list[int]()


def begun(euros: int, ctx: ToolContext) -> int:
    Simulation.effect(ctx.idempotency_key)
    return euros


@tool(starts=1)
async def pay(euros: int, ctx: ToolContext) -> int:
    """Pay, where no key is known."""
    return begun(euros, ctx)


@tool(starts=1, retries=0, requires_approval=True)
def sign(euros: int, ctx: ToolContext) -> int:
    return begun(euros, ctx)


@tool(starts=1, call_limits=[CallLimit("bank", per_minute=1)])
async def wire(euros: int, ctx: ToolContext) -> int:
    """Wire, once a minute."""
    return begun(euros, ctx)


@tool(starts=1, background=True)
async def post(euros: int, ctx: ToolContext) -> int:
    """Post, in the background."""
    return begun(euros, ctx)


@tool(starts=1)
async def poll(euros: int) -> Any:
    """Come back once."""
    PAID.append(euros)
    return RunAgain(after_seconds=1, memo={"ran": 1}) if len(PAID) % 2 else euros


@workflow
async def treasury(euros: int) -> str:
    """Pay, and say how that went."""
    try:
        return f"paid {await pay(euros)}"  # type: ignore[call-arg]
    except ToolError as error:
        return f"{error.type}: {error.message}"


def _calls(*tools: Any) -> list[Any]:
    return [[Call(each.name, {"euros": at}) for at, each in enumerate(tools, 1)], "done"]


def _posting(request: ModelRequest) -> ModelAnswer:
    is_told = request.turn > 1 or "Operation" in str(request.messages[-1])
    return ModelAnswer("done") if is_told else ModelAnswer(calls=(Call("post", {"euros": 1}),))


CODE = "await pay(euros=4)"
AGENTS = [
    Agent("plain", ScriptedModel(_calls(pay)), tools=[pay]),
    Agent("several", ScriptedModel(_calls(pay, wire, sign)), tools=[pay, wire, sign]),
    Agent("posts", Listening(_posting), tools=[post]),
    Agent("planned", plan=[Step("s", pay, {"euros": task_data["euros"]}, on_failure="continue")]),
    Agent("coded", ScriptedModel([[Call("run_code", {"code": CODE})], "done"]), tools=[pay], code_mode=True),
]
_LONGER = ("several", "posts", "planned")


@pytest.mark.parametrize(
    "name", ["plain", "coded", *(pytest.param(name, marks=pytest.mark.long) for name in (*_LONGER, "treasury"))]
)
async def test_wherever_the_process_dies_a_call_begins_at_most_once(name: str) -> None:
    simulation = Simulation(Registry(AGENTS, workflows=[treasury]), fresh=PAID.clear)
    report = await simulation.crash_everywhere(name, "go", input_data={"euros": 3}, decide=lambda _: Approve())
    report.check()
    for run in report.runs:
        keys = [key for attempt in run.attempts for key in attempt.effects]
        assert len(keys) == len(set(keys)), run.story
    assert report.unsure, "some process has died in the middle"
    told = [str([run.calls, run.result]) for run in report.different]
    assert any("may have run: it starts at most once" in each for each in told)


async def test_without_a_crash_everything_is_as_with_any_tool() -> None:
    """A wait for a limit, a person, or a pause of its own is no second start."""
    agents = [*AGENTS[:2], Agent("polls", ScriptedModel(_calls(poll)), tools=[poll])]
    for agent in agents:
        run = await Simulation(Registry(agents), fresh=PAID.clear).run(agent.name, "go", decide=lambda _: Approve())
        assert {call["status"] for call in run.calls} == {"completed"}, agent.name


def test_a_registry_refuses_retries_beside_it() -> None:
    @tool(starts=1, retries=1)
    async def twice() -> None: ...

    with pytest.raises(RegistryError, match=r"tool 'twice' starts at most once.*write retries=0"):
        Registry(tools=[twice])


@pytest.mark.parametrize(
    ("of_item", "of_record", "begins"),
    [
        ({}, {}, True),
        ({"abandoned": 1}, {}, False),
        ({"died": 1}, {}, False),
        ({"lost": 1}, {}, False),
        ({"attempt": 2}, {"questions": 1}, True),
        ({"offloaded": 1}, {"attempts": 1}, True),
        ({"attempt": 2}, {"earlier": 1, "attempts": 1}, False),
        ({"attempt": 2}, {"earlier": 1, "attempts": 0}, True),
        ({"attempt": 2, "offloaded": 1}, {"earlier": 1, "attempts": 2}, True),
    ],
    ids=[
        *("fresh", "its process died", "an earlier one died", "broken off", "a person was asked", "after its pause"),
        *("retried by hand", "asked, and retried by hand", "retried by hand, after its pause"),
    ],
)
def test_one_rule_says_whether_it_has_begun(of_item: Any, of_record: Any, begins: bool) -> None:
    state = call_state(ItemKind.CALL, replace(call_record(retries=ONCE), **of_record))
    decision = decide(replace(state, item=replace(state.item, **of_item)), Started(), NOW_MS)
    assert (decision.changes is None) is begins
    if decision.changes:
        error = decision.changes.calls[0].error
        assert (error and error.type, error and error.retryable) == ("may_have_run", False)


@pytest.mark.parametrize("begins", [False, True])
async def test_what_is_handed_over_before_its_code_begins_may_begin_there(begins: bool) -> None:
    class Told(FakeStore):
        async def give_back(self, claim: Claim, now_ms: int, *, begun: bool) -> bool:
            told.append(begun)
            return True

    told, clock = list[bool](), FakeClock()
    claims = Claims(Told(), clock, Policy({}, inline=False))
    claim = Claim("job_1", "call:c:1", "m", "o", clock.now_ms(), clock.now_ms(), call_id="c")

    async def work() -> None:
        async with Holding(claims, claim, ItemKind.CALL):
            if begins:
                printed.CODE.set(["c"])
            raise StoreError("away")

    with pytest.raises(StoreError):
        await work()
    assert told == [begins]


@pytest.mark.parametrize("begun", [True, False])
async def test_a_retry_by_hand_begins_what_has_not_begun(begun: bool) -> None:
    """The job was cancelled while the call was at work, or before."""
    starts, at_work = list[int](), asyncio.Event()

    @tool(name="pay", starts=1)
    async def paying() -> str:
        starts.append(1)
        at_work.set()
        await asyncio.sleep(0 if len(starts) > 1 or not begun else 60)
        return "paid"

    stage = Stage(registry=Registry([Agent("a", Listening(_repeating), tools=[paying])]))
    await stage.deliver(await stage.submit("a"))
    delivery = asyncio.create_task(stage.deliver(stage.events()[-1], "m2")) if begun else None
    if delivery:
        await at_work.wait()
    await stage.container.commands.cancel(await stage.now(), "one")
    if delivery:
        delivery.cancel()
        await asyncio.wait([delivery])
    assert (await stage.container.commands.retry(await stage.now(), "one", from_start=False)).refused == ""
    await stage.run()
    assert (len(starts), (await stage.now()).status) == (1, "completed")
    assert ("may have run" if begun else "paid") in str((await stage.now()).result)


def _repeating(request: ModelRequest) -> ModelAnswer:
    return ModelAnswer(str(request.messages[-1])) if request.turn > 1 else ModelAnswer(calls=(Call("pay", {}),))
