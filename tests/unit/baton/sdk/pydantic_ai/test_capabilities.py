"""Capabilities, hooks and toolsets with state of a run: as in `agent.run`, also where the process dies."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.capabilities import ProcessHistory
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
from baton.pydantic_ai import durable
from baton.testing import Approve, Simulation
from tests.unit.baton.sdk.pydantic_ai.capable_agents import (
    CAPABLE,
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
    counting,
    noted,
    with_tools,
)
from tests.unit.baton.sdk.pydantic_ai.documented_agents import City
from tests.unit.baton.sdk.pydantic_ai.played import call, comparable, scripted

Make = Callable[[Happened], Agent[Any, Any]]


@pytest.mark.parametrize("make", CAPABLE, ids=lambda make: make.__name__)
async def test_a_job_gives_what_a_run_gives_and_hooks_happen_once(make: Make) -> None:
    """The output with what hooks make of it, the messages, and each hook as often."""
    direct, played = Happened(), Happened()
    expected = await make(direct).run("do it")
    run = await Simulation(Registry([durable(make(played))])).run("a", "do it")
    assert run.result.get("output") == to_jsonable_python(expected.output)
    assert played == direct
    if expected.all_messages():
        messages = ModelMessagesTypeAdapter.validate_python(run.model_messages)
        assert comparable(messages) == comparable(expected.all_messages())


@pytest.mark.long
@pytest.mark.parametrize("make", CAPABLE, ids=lambda make: make.__name__)
async def test_each_crash_point_leads_to_the_same(make: Make) -> None:
    expected = await make(Happened()).run("do it")
    simulation = Simulation(Registry([durable(make(Happened()))]))
    report = await simulation.crash_everywhere("a", "do it")
    report.check()
    assert report.usual.result.get("output") == to_jsonable_python(expected.output)


async def test_two_jobs_of_one_agent_share_no_state() -> None:
    simulation = Simulation(Registry([durable(counting(Happened()))]))
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
    happened: Counter[str] = Counter()
    agent = Agent(scripted([call("pay")], "done"), name="a", capabilities=[Watching(noted(happened))])

    @agent.tool_plain(requires_approval=True)
    def pay() -> str:
        """Pay."""
        return "paid"

    run = await Simulation(Registry([durable(agent)])).run("a", "do it", decide=lambda _: Approve())
    assert run.result["output"] == "done"
    assert happened == {}


async def test_a_failed_call_is_told_to_the_run_once() -> None:
    """Its alarm rings in the turn after it, by the name of the error; then a hook may recover the run."""
    happened: Counter[str] = Counter()

    def broken(capability: Any) -> Agent[Any, Any]:
        agent = Agent(scripted([call("breaks")], "done"), name="a", capabilities=[capability])

        @agent.tool_plain
        def breaks() -> str:
            """Break."""
            raise ValueError("broken")

        return agent

    run = await Simulation(Registry([durable(broken(Watching(noted(happened))))])).run("a", "do it")
    assert run.error is not None
    assert (run.error["type"], run.error["message"]) == ("ValueError", "broken")
    assert happened == {"alarm: ValueError": 1}
    run = await Simulation(Registry([durable(broken(Recovering(noted(happened))))])).run("a", "do it")
    assert run.result["output"] == "recovered"
    assert happened["on_run_error: ValueError broken"] == 1


async def test_a_shortened_history_stays_as_it_is() -> None:
    """Also where it begins with a result whose call it does not have any more."""
    seen: dict[str, list[int]] = {"direct": [], "job": []}

    def shortening(lengths: list[int]) -> Agent[Any, Any]:
        def recent(messages: list[ModelMessage]) -> list[ModelMessage]:
            lengths.append(len(messages))
            return messages[-3:] if len(messages) > 4 else messages

        def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
            made = [part for one in messages if isinstance(one, ModelResponse) for part in one.tool_calls]
            n = made[-1].args_as_dict()["n"] + 1 if made else 1
            return ModelResponse([call("look", f"c{n}", n=n) if n < 4 else TextPart("done")])

        return with_tools(Agent(FunctionModel(answer), name="a", capabilities=[ProcessHistory(recent)]))

    await shortening(seen["direct"]).run("do it")
    await Simulation(Registry([durable(shortening(seen["job"]))])).run("a", "do it")
    assert seen["job"] == seen["direct"] == [1, 3, 5, 5]


def _cut_between_pairs(messages: list[ModelMessage]) -> list[ModelMessage]:
    """The last three messages, and those before them that have a call of theirs, as the window of the harness."""
    for at in range(max(0, len(messages) - 3), 0, -1):
        before, after = ([part for one in some for part in one.parts] for some in (messages[:at], messages[at:]))
        calls = {part.tool_call_id for part in before if isinstance(part, ToolCallPart)}
        if calls.isdisjoint(part.tool_call_id for part in after if isinstance(part, ToolReturnPart)):
            return messages[at:]
    return messages


async def test_a_history_is_shortened_where_it_is_in_a_direct_run() -> None:
    """The ids of a function's calls may repeat: then a pair is further apart, and less is left out."""
    turns = ([call("look", n=1), call("look", n=2)], [call("look", n=3)], [call("look", n=4)], "done")
    seen: dict[str, list[int]] = {"direct": [], "job": []}

    def shortening(lengths: list[int]) -> Agent[Any, Any]:
        def recent(messages: list[ModelMessage]) -> list[ModelMessage]:
            lengths.append(len(messages))
            return _cut_between_pairs(messages)

        return with_tools(Agent(scripted(*turns), name="a", capabilities=[ProcessHistory(recent)]))

    await shortening(seen["direct"]).run("do it")
    run = await Simulation(Registry([durable(shortening(seen["job"]))])).run("a", "do it")
    assert (run.status, seen["job"]) == ("completed", seen["direct"])
    assert len(seen["direct"]) > len(turns), "ids did repeat"


async def test_an_output_beside_other_calls_counts_one_call_of_a_model() -> None:
    """The turn that judges it asks no model."""
    turn = [call("look", n=1), call("final_result", name="Rome", people=1)]
    agent = with_tools(Agent(scripted(turn), name="a", output_type=City, end_strategy="exhaustive"))
    run = await Simulation(Registry([durable(agent)])).run("a", "do it")
    assert run.result["output"] == {"name": "Rome", "people": 1}
    assert run.usage["modelCalls"] == 1
