"""Every way to a tool gives it one validation of the JSON that was sent: by a model, a person, a plan or a fork."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import pydantic_ai as ai
import pytest
from pydantic import AfterValidator, BaseModel, Field
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton import Agent, Call, Registry, ScriptedModel, Step, result_of, task_data, tool
from baton.engine.fork import Edits
from baton.pydantic_ai import durable
from baton.testing import Approve, Checkpoint, Simulation
from tests.unit.baton.kit.forking import fork
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.kit.typed_arguments import CASES, Taken, counted, taking, validations

EXPECTED = {f"t{at}": [case.expected] for at, case in enumerate(CASES)}
EUROS = Annotated[int, AfterValidator(counted), AfterValidator(lambda euros: euros * 100)]


class Account(BaseModel):
    number: str = Field(validation_alias="iban", serialization_alias="accountNumber")


@pytest.fixture(autouse=True)
async def nothing_validated() -> AsyncIterator[None]:
    validations.clear()
    yield
    validations.clear()


@pytest.mark.parametrize("asks", [False, True], ids=["at once", "once approved"])
async def test_a_model_s_calls(asks: bool) -> None:
    """A person is shown what the model sent, and that runs."""
    taken, shown = Taken(), dict[str, Any]()

    def decide(checkpoint: Checkpoint) -> Approve:
        shown[checkpoint.tool] = checkpoint.arguments
        return Approve()

    agent = Agent("a", ScriptedModel([taken.calls(), "done"]), tools=taken.tools(requires_approval=asks))
    run = await Simulation(Registry([agent])).run("a", "go", decide=decide)
    assert taken == EXPECTED
    sent = {call.tool: call.arguments for call in taken.calls()}
    assert shown == (sent if asks else {})
    assert {part["toolName"]: part["input"] for part in run.parts if part["type"] == "tool-input-available"} == sent


async def test_a_person_s_edits() -> None:
    """Each of them replaces the JSON."""
    taken = Taken()
    first = [Call(f"t{at}", {"value": case.sent}) for at, case in enumerate(CASES)]
    edits = {call.tool: call.arguments for call in first}
    agent = Agent("a", ScriptedModel([first, "done"]), tools=taken.tools(requires_approval=True))
    await Simulation(Registry([agent])).run("a", "go", decide=lambda one: Approve(arguments=edits[one.tool]))
    assert taken == EXPECTED


@pytest.mark.parametrize("asks", [False, True], ids=["at once", "once approved"])
async def test_steps_of_a_plan(asks: bool) -> None:
    """Their references are resolved first: to the job's data, and to results of other steps."""
    taken = Taken()

    @tool
    def all_of() -> dict[str, Any]:
        return {f"t{at}": case.sent for at, case in enumerate(CASES)}

    tools = taken.tools(requires_approval=asks)
    for name, given in (("data", task_data), ("result", result_of("all"))):
        before = [] if name == "data" else [Step("all", all_of)]
        steps = [Step(one.name, one, {"value": given[one.name]}, [each.name for each in before]) for one in tools]
        agent = Agent(name, plan=[*before, *steps])
        await Simulation(Registry([agent])).run(name, "go", input_data=all_of(), decide=lambda _: Approve())
        assert taken == EXPECTED
        for one in taken.values():
            one.clear()


async def test_a_planner_s_steps() -> None:
    taken = Taken()
    steps = [{"name": call.tool, "tool": call.tool, "arguments": call.arguments} for call in taken.calls()]
    model = ScriptedModel([[Call("make_plan", {"steps": steps})], "done"])
    await Simulation(Registry([Agent("p", model, mode="plan", tools=taken.tools())])).run("p", "go")
    assert taken == EXPECTED


async def test_a_fork_s_calls() -> None:
    """With the arguments that it takes over, and with edited ones."""
    taken = Taken()
    stage = Stage(registry=Registry([Agent("a", ScriptedModel([taken.calls(), "done"]), tools=taken.tools())]))
    await stage.submit("a")
    await stage.run()
    ended = await stage.snapshot()
    sent = {call.id: call.arguments for call in ended.calls}
    await fork(stage, 2, Edits(arguments=sent))
    assert taken == {name: [*one, *one] for name, one in EXPECTED.items()}


def _talk(calls: list[Call]) -> FunctionModel:
    def answer(messages: list[ai.ModelMessage], info: AgentInfo) -> ai.ModelResponse:
        if any(isinstance(part, ai.ToolReturnPart) for message in messages for part in message.parts):
            return ai.ModelResponse(parts=[ai.TextPart("done")])
        return ai.ModelResponse(parts=[ai.ToolCallPart(call.tool, call.arguments) for call in calls])

    return FunctionModel(answer)


@pytest.mark.parametrize("asks", [False, True], ids=["at once", "once approved"])
async def test_calls_of_an_agent_of_pydantic_ai(asks: bool) -> None:
    taken = Taken()
    functions = [ai.Tool(one.function, name=one.name, requires_approval=asks) for one in taken.tools()]
    agent = durable(ai.Agent(_talk(taken.calls()), name="library", tools=functions))
    edits = {call.tool: call.arguments for call in taken.calls()}
    decide = lambda one: Approve(arguments=edits[one.tool])  # noqa: E731 - short
    await Simulation(Registry([agent])).run("library", "go", decide=decide)
    assert taken == EXPECTED


async def test_one_check_of_a_request_and_one_validation_for_the_run() -> None:
    """Whoever makes the request: a person's edit is a request, too."""
    paid: list[int] = []
    pay = taking("pay", EUROS, paid.append, requires_approval=True)
    model = ScriptedModel([[Call("pay", {"value": 4})], "done"])
    registry = Registry([Agent("a", model, tools=[pay]), Agent("p", plan=[Step("s", pay, {"value": task_data["n"]})])])
    await Simulation(registry).run("a", "go", decide=lambda _: Approve())
    await Simulation(registry).run("a", "go", decide=lambda _: Approve(arguments={"value": 5}))
    await Simulation(registry).run("p", "go", input_data={"n": 6}, decide=lambda _: Approve())
    assert paid == [400, 500, 600]
    assert validations == {"4": 3, "5": 2, "6": 2}


async def test_an_edit_under_a_name_that_is_read_alone() -> None:
    """Only the name that is read fits, in the question as in the edit."""
    named: list[Any] = []
    model = ScriptedModel([[Call("name", {"value": {"iban": "DE77"}})], "done"])
    name = taking("name", Account, named.append, requires_approval=True)
    edit = Approve(arguments={"value": {"iban": "DE78"}})
    await Simulation(Registry([Agent("a", model, tools=[name])])).run("a", "go", decide=lambda _: edit)
    assert [one.number for one in named] == ["DE78"]
