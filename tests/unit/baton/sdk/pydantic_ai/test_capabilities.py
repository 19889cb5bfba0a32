"""Capabilities, hooks and toolsets with state of a run: as in `agent.run`, also where the process dies.

An effect of a hook has a key that is the same where its step is repeated, and no other's.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from pydantic_ai import Agent, RunContext, Tool
from pydantic_ai.capabilities import AbstractCapability, ProcessHistory
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_core import to_jsonable_python

from baton import Registry
from baton.pydantic_ai import durable, hook_context
from baton.sdk.libraries.hook_contexts import HookContext
from baton.testing import Approve, Simulation
from tests.unit.baton.sdk.pydantic_ai.capable_agents import (
    CAPABLE,
    TURNS,
    Happened,
    Large,
    MadeLater,
    MakesAgents,
    Reading,
    Recovering,
    Sandbox,
    Scoped,
    Sends,
    Watching,
    breaks,
    noted,
    with_tools,
)
from tests.unit.baton.sdk.pydantic_ai.documented_agents import City
from tests.unit.baton.sdk.pydantic_ai.played import call, comparable, scripted

LOOKS = ([call("look", n=1), call("look", n=2)], [call("look", n=3)], [call("look", n=4)], "done")


@pytest.mark.parametrize("name", CAPABLE)
async def test_a_job_gives_what_a_run_gives_and_hooks_happen_once(name: str) -> None:
    """The output with what hooks make of it, the messages, and each hook as often."""
    make, direct, played = CAPABLE[name], Happened(), Happened()
    expected = await make(direct).run("do it")
    run = await Simulation(Registry([durable(make(played))])).run("a", "do it")
    assert run.result.get("output") == to_jsonable_python(expected.output)
    assert played == direct
    if expected.all_messages():
        messages = ModelMessagesTypeAdapter.validate_python(run.model_messages)
        assert comparable(messages) == comparable(expected.all_messages())


@pytest.mark.long
@pytest.mark.parametrize("name", CAPABLE)
async def test_each_crash_point_leads_to_the_same(name: str) -> None:
    make = CAPABLE[name]
    expected = await make(Happened()).run("do it")
    simulation = Simulation(Registry([durable(make(Happened()))]))
    report = await simulation.crash_everywhere("a", "do it")
    report.check()
    assert report.usual.result.get("output") == to_jsonable_python(expected.output)


async def test_two_jobs_of_one_agent_share_no_state() -> None:
    simulation = Simulation(Registry([durable(CAPABLE["counting"](Happened()))]))
    first, second = [await simulation.run("a", "do it") for _ in range(2)]
    assert first.result == second.result


@pytest.mark.parametrize(
    ("capability", "told"),
    [
        (Reading(), "capability Reading holds what cannot be kept between two steps: source is a list_iterator; keep"),
        (MadeLater(), "capability MadeLater .*: shelf is a Shelf, made during the run; keep it in deps or in a store"),
        (Scoped(), "capability Scoped .*: scope is a Shelf, made during the run; keep it in deps or in a store"),
        (Sandbox(), "toolset Sandboxed holds what cannot be kept between two steps: _pool is a AsyncExitStack"),
        (
            MakesAgents(),
            r"capability MakesAgents .*: helpers\['one'\] is a Agent, made during the run; keep it in deps",
        ),
        (Sends(), "capability Sends .*: stream is a MemoryObjectSendStream of anyio"),
        (Large(), r"capability Large holds 700\d\d bytes between two steps, more than 65536; keep it in a store"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_cannot_be_carried_fails_the_first_turn_by_name(capability: Any, told: str) -> None:
    agent = with_tools(Agent(scripted([call("look", n=1)], "done"), name="a", capabilities=[capability]))
    run = await Simulation(Registry([durable(agent)])).run("a", "do it")
    assert run.error is not None
    assert run.error["type"] == "state_not_kept"
    assert re.search(told, run.error["message"])


async def test_an_approval_rings_no_alarm() -> None:
    """A call that waits for a person is no error of the run."""
    happened, pay = Happened(), Tool[Any](lambda: "paid", name="pay", requires_approval=True)
    watching = [Watching(noted(happened))]
    agent = Agent(scripted([call("pay")], "done"), name="a", capabilities=watching, tools=[pay])
    run = await Simulation(Registry([durable(agent)])).run("a", "do it", decide=lambda _: Approve())
    assert (run.result["output"], happened) == ("done", {})


async def test_a_failed_call_is_told_to_the_run_once() -> None:
    """Its alarm rings in the turn after it, by the name of the error; then a hook may recover the run."""
    happened = Happened()

    def broken(capability: Any) -> Registry:
        agent = Agent(scripted([call("breaks")], "done"), name="a", capabilities=[capability], tools=[breaks])
        return Registry([durable(agent)])

    run = await Simulation(broken(Watching(noted(happened)))).run("a", "do it")
    assert run.error is not None
    assert (run.error["type"], run.error["message"]) == ("ValueError", "broken")
    assert happened == {"alarm: ValueError": 1}
    run = await Simulation(broken(Recovering(noted(happened)))).run("a", "do it")
    assert run.result["output"] == "recovered"
    assert happened["on_run_error: ValueError broken"] == 1


def _last_three(messages: list[ModelMessage]) -> list[ModelMessage]:
    """Also where they begin with a result whose call is not there any more."""
    return messages[-3:] if len(messages) > 4 else messages


def _cut_between_pairs(messages: list[ModelMessage]) -> list[ModelMessage]:
    """The last three messages, and those before them that have a call of theirs, as the window of the harness."""
    for at in range(max(0, len(messages) - 3), 0, -1):
        before, after = ([part for one in some for part in one.parts] for some in (messages[:at], messages[at:]))
        calls = {part.tool_call_id for part in before if isinstance(part, ToolCallPart)}
        if calls.isdisjoint(part.tool_call_id for part in after if isinstance(part, ToolReturnPart)):
            return messages[at:]
    return messages


def _counted(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    made = [part for one in messages if isinstance(one, ModelResponse) for part in one.tool_calls]
    n = made[-1].args_as_dict()["n"] + 1 if made else 1
    return ModelResponse([call("look", f"c{n}", n=n) if n < 4 else TextPart("done")])


@pytest.mark.parametrize(
    ("shortened", "model", "told"),
    [
        (_last_three, FunctionModel(_counted), [1, 3, 5, 5]),
        # The ids of a function's calls may repeat: then a pair is further apart, and less is left out.
        (_cut_between_pairs, scripted(*LOOKS), None),
    ],
)
async def test_a_history_is_shortened_where_it_is_in_a_direct_run(shortened: Any, model: Any, told: Any) -> None:
    seen: dict[str, list[int]] = {"direct": [], "job": []}

    def shortening(lengths: list[int]) -> Agent[Any, Any]:
        def recent(messages: list[ModelMessage]) -> list[ModelMessage]:
            lengths.append(len(messages))
            return list(shortened(messages))

        return with_tools(Agent(model, name="a", capabilities=[ProcessHistory(recent)]))

    await shortening(seen["direct"]).run("do it")
    run = await Simulation(Registry([durable(shortening(seen["job"]))])).run("a", "do it")
    assert (run.status, seen["job"]) == ("completed", seen["direct"])
    assert seen["direct"] == told if told else len(seen["direct"]) > len(LOOKS), "ids did repeat"


async def test_an_output_beside_other_calls_counts_one_call_of_a_model() -> None:
    """The turn that judges it asks no model."""
    turn = [call("look", n=1), call("final_result", name="Rome", people=1)]
    agent = with_tools(Agent(scripted(turn), name="a", output_type=City, end_strategy="exhaustive"))
    run = await Simulation(Registry([durable(agent)])).run("a", "do it")
    assert run.result["output"] == {"name": "Rome", "people": 1}
    assert run.usage["modelCalls"] == 1


FAULTS: tuple[tuple[str, ...], ...] = (("duplicates", "reorder"), (), ("duplicates",), ("reorder",))


@dataclass
class Ledger:
    """An account outside, which takes each key once."""

    taken: dict[str, str] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    silent: list[str] = field(default_factory=list)

    def charge(self, hook: str, context: HookContext) -> None:
        if context.idempotency_key in self.taken and not context.repeated:
            self.silent.append(hook)
        self.taken[context.idempotency_key] = hook
        self.asked[context.idempotency_key] += 1

    @property
    def sums(self) -> Counter[str]:
        return Counter(self.taken.values())


@dataclass
class Charges(AbstractCapability[Any]):
    """Charges in each hook, and twice for a request."""

    ledger: Ledger

    async def before_run(self, ctx: RunContext[Any]) -> None:
        self.ledger.charge("before_run", hook_context())

    async def after_model_request(self, ctx: RunContext[Any], *, response: Any, **_: Any) -> Any:
        self.ledger.charge("request", hook_context())
        self.ledger.charge("tokens", hook_context())
        return response

    async def after_tool_execute(self, ctx: RunContext[Any], *, result: Any, **_: Any) -> Any:
        self.ledger.charge("call", hook_context())
        return result

    async def after_run(self, ctx: RunContext[Any], *, result: Any) -> Any:
        self.ledger.charge("after_run", hook_context())
        return result


EXPECTED = Counter(before_run=1, request=3, tokens=3, call=3, after_run=1)


async def crashed(agent: Agent[Any, Any], schedules: int, fresh: Callable[[], None]) -> None:
    """Play schedules, each with the end of a process; `fresh` is called between two of them."""
    played, seed = 0, 0
    while played < schedules:
        simulation = Simulation(Registry([durable(agent)]), seed=seed, fresh=fresh)
        report = await simulation.crash_everywhere("a", "do it", faults=FAULTS[seed % len(FAULTS)])
        report.check()
        played, seed = played + len(report.points), seed + 1
    fresh()


@pytest.mark.parametrize("schedules", [30, pytest.param(120, marks=pytest.mark.long)])
async def test_each_effect_of_a_hook_is_made_once_by_its_key_wherever_processes_die(schedules: int) -> None:
    """At most two processes ask for one effect; the second one is told that it may be there."""
    ledger = Ledger()
    sums, most, silent = set[tuple[tuple[str, int], ...]](), 0, list[str]()

    def fresh() -> None:
        nonlocal most
        if ledger.taken:
            sums.add(tuple(sorted(ledger.sums.items())))
            most = max(most, *ledger.asked.values())
            silent.extend(ledger.silent)
        vars(ledger).update(vars(Ledger()))

    agent = with_tools(Agent(scripted(*TURNS), name="a", capabilities=[Charges(ledger)]))
    await crashed(agent, schedules, fresh)
    assert (sums, most, silent) == ({tuple(sorted(EXPECTED.items()))}, 2, [])


@dataclass
class ChargesBefore(AbstractCapability[Any]):
    """Charges before each call."""

    ledger: Ledger

    async def before_tool_execute(self, ctx: RunContext[Any], *, args: Any, **_: Any) -> Any:
        self.ledger.charge("call", hook_context())
        return args


async def test_a_hook_is_told_that_its_effect_may_be_there_after_a_stop() -> None:
    """A process that is asked to stop gives the call back, whose hook has had its effect."""
    ledger, silent, asked = Ledger(), list[str](), Counter[int]()

    def fresh() -> None:
        silent.extend(ledger.silent)
        asked.update(ledger.asked.values())
        vars(ledger).update(vars(Ledger()))

    agent = Agent(scripted([call("waits")], "done"), name="a", capabilities=[ChargesBefore(ledger)])

    @agent.tool_plain
    async def waits() -> str:
        """Wait."""
        await asyncio.sleep(5)
        return "waited"

    report = await Simulation(Registry([durable(agent)]), fresh=fresh).crash_everywhere("a", "do it")
    fresh()
    assert any(point.stopped for point in report.points)
    assert asked[2] >= 2, "a process died in the call, and one was stopped"
    assert silent == []


@pytest.mark.harness
async def test_spend_limits_are_exact_wherever_processes_die() -> None:
    """In a thousand schedules, with a store that takes the hook's key; the guide has that store."""
    agents: Any = import_module("tests.unit.baton.sdk.pydantic_ai.harness_agents")
    sums = set[tuple[Decimal, int]]()

    def fresh() -> None:
        sums.update((spent.usd, spent.requests) for spent, _ in agents.SPENT.counted._entries.values())
        agents.forget()

    agents.forget()
    await crashed(agents.spend_limits_with_keys(), 1_000, fresh)
    assert sums == {(Decimal("2.0"), 4)}


def test_outside_of_a_durable_agent_there_is_no_key() -> None:
    with pytest.raises(LookupError, match="for hooks of a durable agent"):
        hook_context()
