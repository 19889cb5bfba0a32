"""What is wrong with a plan is told all at once: of steps that a model makes, and of those that authors write."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

import pytest
from pydantic import AliasChoices, BaseModel, Field
from typing_extensions import TypedDict

from baton import Agent, Limits, Registry, ScriptedModel, Step, result_of, sleep, tool
from baton.sdk.agents.registry import RegistryError
from baton.sdk.planning.checking import MAX_DEPTH, MAX_STEPS, plan_faults
from baton.sdk.planning.plan import PlannedStep, wanted_of
from baton.sdk.planning.reference import recorded
from baton.sdk.planning.step import planned


class Row(TypedDict):
    name: str
    count: int


@tool(retries=4, retry_delay_seconds=7)
async def use(number: int, text: str = "", rows: list[Row] | None = None) -> int:
    return number


TOOLS = {"use": use}


def step(name: str, *before: str, tool_name: str = "use", **arguments: Any) -> PlannedStep:
    """A step with these arguments, else with a number."""
    return PlannedStep(name, tool_name, recorded(arguments or {"number": 1}), before)


def faults(*steps: PlannedStep, max_steps: int = MAX_STEPS) -> list[str]:
    return list(plan_faults(steps, TOOLS, max_steps))


def test_all_faults_are_reported_at_once() -> None:
    found = faults(
        step("a", "nowhere"),
        step("a"),
        step("no name!"),
        step("b", number=result_of("a")),
        step("c", tool_name="used"),
        step("f", number=result_of("gone")),
        step("d", text="x"),
        step("e", number=1, rows=[{"name": "x"}]),
    )
    assert found == [
        "2 steps are named 'a'; give each a name of its own",
        "step 'a': depends_on names 'nowhere', which is no step; there are: a, b, c, d, e, f, no name!",
        "step 'no name!': a name has 1 to 64 letters, digits, '_', '.' or '-', and first a letter or digit",
        "step 'b': refers to result_of('a') and does not depend on it; add 'a' to depends_on",
        "step 'c': there is no tool 'used'; there are: use",
        "step 'f': refers to result_of('gone'), which is no step; there are: a, b, c, d, e, f, no name!",
        "step 'd': invalid arguments for tool 'use': number: is required",
        "step 'e': invalid arguments for tool 'use': rows[0].count: is required",
    ]


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_circle_is_named_step_by_step(length: int) -> None:
    names = [f"s{number}" for number in range(length)]
    steps = [step(name, names[(number + 1) % length]) for number, name in enumerate(names)]
    (fault,) = faults(*steps, step("apart"))
    assert fault.startswith("steps wait for each other in a circle: ")
    named = fault.removeprefix("steps wait for each other in a circle: ").split(" (")[0].split(" → ")
    assert len(named) == length + 1
    assert all(names[(names.index(one) + 1) % length] == next_one for one, next_one in pairwise(named))


def chain(length: int) -> Sequence[PlannedStep]:
    return [step(f"s{number}", *([f"s{number - 1}"] if number else [])) for number in range(length)]


def test_size_and_depth_are_limited() -> None:
    assert faults() == ["the plan has no steps"]
    assert faults(step("b", "a", number=result_of("a")), step("a"), step("c", "a", "b")) == []
    assert faults(*chain(MAX_DEPTH)) == []
    (fault,) = faults(*chain(MAX_DEPTH + 1))
    assert fault == f"{MAX_DEPTH + 1} steps come one after the other; at most {MAX_DEPTH} are possible"
    wide = [step(f"w{number}") for number in range(MAX_STEPS + 1)]
    assert faults(*wide[:-1]) == []
    assert faults(*wide) == [f"the plan has {MAX_STEPS + 1} steps; at most {MAX_STEPS} are possible"]
    assert faults(*wide[:3], max_steps=2) == ["the plan has 3 steps; at most 2 are possible"]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"number": {"$resultOf": "a"}}, "is no reference"),
        ({"number": float("nan")}, "its arguments are not JSON"),
        ({"number": 1, "text": object()}, "its arguments are not JSON"),
        ({"number": 1, "text": "\ud800"}, "its arguments are not JSON"),
        ({"number": 1, "text": "x" * 300_000}, "over the limit of 262144"),
    ],
)
def test_arguments_that_cannot_be_recorded_are_a_fault(arguments: dict[str, Any], fault: str) -> None:
    (found,) = faults(PlannedStep("a", "use", arguments))
    assert fault in found


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"number": result_of("a"), "rows": result_of("a")["rows"]}, None),
        ({"number": 1, "rows": [result_of("a"), {"name": "x", "count": 1}]}, None),
        ({"number": 1, "rows": [{"name": result_of("a"), "count": 1}]}, None),
        ({"number": result_of("a"), "text": 3}, "text: "),
        ({"number": result_of("a"), "other": 3}, "other: is not an argument of this tool"),
        ({"other": result_of("a"), "number": 1}, "other: is not an argument (it has: number, rows, text)"),
        ({"text": result_of("a")}, "number: is required"),
        ({"number": 1, "rows": [{"name": result_of("a"), "count": "many"}]}, "rows[0].count: "),
        ({"number": 1, "rows": [{"name": result_of("a")}]}, "rows[0].count: is required"),
        ({"number": 1, "rows": [result_of("a"), 3]}, "rows[1]: "),
    ],
)
def test_what_has_no_reference_in_it_is_checked_before(arguments: dict[str, Any], fault: str | None) -> None:
    found = faults(step("a"), step("b", "a", **arguments))
    assert len(found) == (fault is not None), found
    assert all((fault or "") in line for line in found)


def test_the_calls_of_a_plan_carry_the_tools_retries_and_the_steps_order() -> None:
    """Arguments stay as they were written until the step runs."""
    first, second = wanted_of([step("a", number="5"), step("b", "a", number=result_of("a"), text="x")], TOOLS)
    assert (first.tool, first.arguments, first.step) == ("use", {"number": "5"}, "a")
    assert (first.retries, first.retry_delay_seconds) == (4, 7)
    assert second.arguments == {"number": {"$resultOf": {"step": "a", "path": []}}, "text": "x"}
    assert (second.depends_on, second.on_failure, second.fault) == (("a",), "fail", None)


def test_a_reference_may_stand_under_any_name_that_is_read() -> None:
    @tool
    def pay(cents: Annotated[int, Field(validation_alias=AliasChoices("euros", "amount"))]) -> None:
        """Pay."""

    for name, count in (("euros", 0), ("amount", 0), ("cents", 0), ("total", 2)):
        steps = [step("a", number="5"), PlannedStep("b", "pay", {name: result_of("a").as_json()}, ("a",))]
        assert len(list(plan_faults(steps, {**TOOLS, "pay": pay}))) == count


def registry_faults(agent: Agent) -> list[str]:
    with pytest.raises(RegistryError) as caught:
        Registry([agent])
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
    assert [fault.removeprefix("agent 'p': plan: ")[:60] for fault in registry_faults(agent)] == [
        "it is fixed, so the agent asks no model: leave model out, or",
        "Limits(turns=1) leaves no turn for the answer; allow 2",
        "step 'b': {'$resultOf': {'step': 'a'}}: an object may not ha",
        "step 'b': on_failure='replan' needs a planner, and this plan",
        "the plan has 4 steps; at most 3 are possible",
        "step 'a': there is no tool 'nothing'; there are: use",
        "step 'c': refers to result_of('b') and does not depend on it",
        "steps wait for each other in a circle: c → d → c (each depen",
    ]


@tool(name="make_plan")
async def other() -> None:
    pass


class Out(BaseModel):
    text: str


ONE = [Step("a", use, {"number": 1})]
HELPER = Agent(name="helper", plan=ONE)
SCRIPTED: dict[str, Any] = {"mode": "plan", "model": ScriptedModel(["x"])}


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"plan": [Step("c", HELPER, {"task": "x"})]}, "its tool 'helper' is an agent that is not registered"),
        ({"plan": ONE, "output_type": Out}, "leave it out"),
        (SCRIPTED, "agent 'p': mode='plan' needs tools for the steps of its plans; add some"),
        ({**SCRIPTED, "tools": [other]}, "agent 'p': in mode='plan' no tool may be named 'make_plan'; rename it"),
    ],
)
def test_what_is_no_agent_with_a_plan_is_refused(fields: dict[str, Any], fault: str) -> None:
    (found,) = registry_faults(Agent(name="p", **fields))
    assert fault in found


def test_a_step_may_name_a_tool_or_an_agent_of_the_registry() -> None:
    agent = Agent(
        name="p",
        plan=[Step("a", "sleep", {"seconds": 1}), Step("b", "use", {"number": 2}), Step("c", HELPER, {"task": "x"})],
    )
    registry = Registry([agent, HELPER], tools=[sleep, use])
    assert set(registry.tools_of("p")) == {"sleep", "use", "helper"}
    assert set(registry.tools_of("helper")) == {"use"}


def test_what_a_step_was_made_of_may_change_post_commit() -> None:
    arguments, before = {"number": 1}, ["b"]
    step = Step("a", use, arguments, depends_on=before)
    arguments["number"] = 2
    before.append("c")
    (made,) = planned([step])
    assert (made.arguments, made.depends_on) == ({"number": 1}, ("b",))
