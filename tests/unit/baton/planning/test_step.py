"""Steps as authors write them, and what is wrong with a fixed plan."""

from typing import Any

import pytest
from pydantic import BaseModel

from baton import Agent, Limits, Registry, ScriptedModel, Step, result_of, sleep, tool
from baton.agents.registry import RegistryError
from baton.planning.step import planned


@tool
async def use(number: int) -> int:
    return number


def faults(agent: Agent, *others: Agent) -> list[str]:
    with pytest.raises(RegistryError) as caught:
        Registry([agent, *others])
    return list(caught.value.faults)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, "a step has a name"),
        ({"name": 3}, "a step has a name"),
        ({"tool": 3}, "step 'a': 3 is not a tool; decorate the function with @tool"),
        ({"tool": use.function}, "is not a tool; decorate the function with @tool"),
        ({"arguments": [1]}, r"step 'a': arguments must be a dict, got \[1\]"),
        ({"depends_on": "b"}, "step 'a': depends_on must be a list of names, got 'b'"),
        ({"depends_on": [3]}, "step 'a': depends_on must be a list of names"),
        ({"on_failure": "retry"}, r"step 'a': on_failure is one of \('fail', 'skip', 'continue', 'replan'\)"),
    ],
)
def test_a_wrong_field_is_refused_with_its_value(fields: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Step(**{"name": "a", "tool": use, **fields})


def test_the_registry_reports_all_faults_of_a_plan_at_once() -> None:
    plan = [
        Step("a", "nothing"),
        Step("b", use, {"number": {"$resultOf": {"step": "a"}}}, on_failure="replan"),
        Step("c", use, {"number": result_of("b")}, depends_on=["d"]),
        Step("d", use, {"number": 1}, depends_on=["c"]),
    ]
    agent = Agent(name="p", plan=plan, model=ScriptedModel(["x"]), limits=Limits(turns=1, tool_calls=3))
    assert [fault.removeprefix("agent 'p': plan: ")[:60] for fault in faults(agent)] == [
        "it is fixed, so the agent asks no model: leave model out, or",
        "Limits(turns=1) leaves no turn for the answer; allow 2",
        "step 'b': {'$resultOf': {'step': 'a'}}: an object may not ha",
        "step 'b': on_failure='replan' needs a planner, and this plan",
        "the plan has 4 steps; at most 3 are possible",
        "step 'a': there is no tool 'nothing'; there are: use",
        "step 'c': refers to result_of('b') and does not depend on it",
        "steps wait for each other in a circle: c → d → c (each depen",
    ]


def test_a_step_may_name_a_tool_or_an_agent_of_the_registry() -> None:
    helper = Agent(name="helper", plan=[Step("a", use, {"number": 1})])
    agent = Agent(
        name="p",
        plan=[Step("a", "sleep", {"seconds": 1}), Step("b", "use", {"number": 2}), Step("c", helper, {"task": "x"})],
    )
    registry = Registry([agent, helper], tools=[sleep, use])
    assert set(registry.tools_of("p")) == {"sleep", "use", "helper"}
    assert set(registry.tools_of("helper")) == {"use"}


def test_an_agent_that_is_not_registered_is_no_step() -> None:
    helper = Agent(name="helper", plan=[Step("a", use, {"number": 1})])
    (fault,) = faults(Agent(name="p", plan=[Step("c", helper, {"task": "x"})]))
    assert "agent 'p': its tool 'helper' is an agent that is not registered" in fault


def test_an_output_type_says_nothing_beside_a_plan() -> None:
    class Out(BaseModel):
        text: str

    (fault,) = faults(Agent(name="p", plan=[Step("a", use, {"number": 1})], output_type=Out))
    assert "leave it out" in fault


def test_a_planner_needs_tools_and_leaves_one_name_free() -> None:
    """Else it has nothing to plan, or cannot say so."""

    @tool(name="make_plan")
    async def other() -> None:
        """Do something else."""

    model = ScriptedModel(["x"])
    assert faults(Agent(name="p", mode="plan", model=model)) == [
        "agent 'p': mode='plan' needs tools for the steps of its plans; add some"
    ]
    assert faults(Agent(name="p", mode="plan", model=model, tools=[other])) == [
        "agent 'p': in mode='plan' no tool may be named 'make_plan'; rename it"
    ]


def test_what_a_step_was_made_of_may_change_post_commit() -> None:
    arguments, before = {"number": 1}, ["b"]
    step = Step("a", use, arguments, depends_on=before)
    arguments["number"] = 2
    before.append("c")
    (made,) = planned([step])
    assert (made.arguments, made.depends_on) == ({"number": 1}, ("b",))
