"""Agents among another agent's tools."""

from typing import Any

import pytest

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.agents.agent_tool import agent_tool
from baton.agents.registry import RegistryError
from baton.engine.transitions import CallStatus
from baton.models.model import ModelAnswer, ModelRequest, ToolMessage
from baton.tools.context import ToolContext
from baton.tools.pending import ChildTask, Pending
from baton_events.ids import child_of
from tests.unit.baton.kit.stage import Stage

DONE = ScriptedModel(["done"])


@tool
def double(number: int) -> int:
    """Double a number."""
    return number * 2


class Reporting:
    """A model that gives one task to each of its tools, then says what came back."""

    name = "reporting"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Delegate, then report."""
        results = [message for message in request.messages if isinstance(message, ToolMessage)]
        if results:
            return ModelAnswer(text=" | ".join(f"{result.tool}: {result.content}" for result in results))
        return ModelAnswer(calls=tuple(Call(spec.name, {"task": f"for {spec.name}"}) for spec in request.tools))


class Echo:
    """A model that answers with its task."""

    name = "echo"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Repeat."""
        task: Any = request.messages[0]
        return ModelAnswer(text=f"had {task.text!r}")


async def test_an_agents_answer_is_the_result_of_its_call() -> None:
    """Each call is a job of that agent below the caller's; the caller goes on with all answers."""
    first, second = Agent("first", model=Echo()), Agent("second", model=Echo())
    head = Agent("head", model=Reporting(), tools=[first, second])
    stage = Stage(registry=Registry([head, first, second]))
    await stage.submit("head")
    await stage.run()
    snapshot = await stage.snapshot()
    assert snapshot.job.result == {"answer": "first: had 'for first' | second: had 'for second'"}
    children = [(await stage.snapshot(child_of(call.id))).job for call in snapshot.calls]
    assert [(child.agent, child.parent_call) for child in children] == [
        (name, call.id) for name, call in zip(("first", "second"), snapshot.calls, strict=True)
    ]


async def test_an_agent_that_fails_is_a_failed_call() -> None:
    """The caller is told, and goes on."""
    lost = Agent("lost", model=ScriptedModel([RuntimeError("no idea")]), model_retries=0)
    head = Agent("head", model=ScriptedModel([[Call("lost", {"task": "find it"})], "alone"]), tools=[lost])
    stage = Stage(registry=Registry([head, lost]))
    await stage.submit("head")
    await stage.run()
    snapshot = await stage.snapshot()
    assert [call.status for call in snapshot.calls] == [CallStatus.FAILED]
    assert "no idea" in snapshot.results[snapshot.calls[0].id]["error"]["message"]
    assert snapshot.job.result == {"answer": "alone"}


async def test_a_call_without_a_task_goes_back_to_the_model() -> None:
    """As with any tool's arguments."""
    helper = Agent("helper", model=DONE)
    head = Agent("head", model=ScriptedModel([[Call("helper", {"job": "x"})], "sorry"]), tools=[helper])
    stage = Stage(registry=Registry([head, helper]))
    await stage.submit("head")
    await stage.run()
    snapshot = await stage.snapshot()
    assert [call.error and call.error.type for call in snapshot.calls] == ["invalid_arguments"]
    assert set(stage.store.tree("job_1").jobs) == {"job_1"}


async def test_the_tool_takes_one_text_and_starts_that_agent() -> None:
    """`task: str`, described; nothing else."""
    made = agent_tool(Agent("helper", instructions="Help.\nAlways."))
    assert list(made.parameters["properties"]) == ["task"]
    assert made.parameters["properties"]["task"]["type"] == "string"
    assert made.parameters["required"] == ["task"]
    started = await made.run({"task": "do it"}, ToolContext.for_test())
    assert isinstance(started, Pending)
    assert started.child == ChildTask(agent="helper", task="do it")


@pytest.mark.parametrize(
    ("fields", "description"),
    [
        ({"description": "Knows prices.", "instructions": "Be exact."}, "Knows prices."),
        ({"instructions": "\nLook prices up.\nSay so plainly."}, "Look prices up."),
        ({}, "Give a task to the agent 'a'."),
    ],
)
def test_its_description_is_the_agents_or_the_first_line_of_its_instructions(
    fields: dict[str, Any], description: str
) -> None:
    """What the caller's model is told."""
    assert agent_tool(Agent("a", **fields)).description == description


def test_several_agents_may_have_the_same_agent_as_a_tool() -> None:
    """It is one tool, beside usual ones, and those keep their order."""
    helper = Agent("helper", model=DONE)
    registry = Registry(
        [Agent("a", model=DONE, tools=[double, helper]), Agent("b", model=DONE, tools=[helper]), helper]
    )
    assert list(registry.tools_of("a")) == ["double", "helper"]
    assert registry.tools_of("a")["helper"] is registry.tools_of("b")["helper"] is registry.tool("helper")


def test_all_faults_are_reported_in_one_error() -> None:
    """Not registered, no name for a tool, and two tools of one name."""
    stranger, dotted, clashing = Agent("stranger"), Agent("code.v2", model=DONE), Agent("double", model=DONE)
    head = Agent("head", model=DONE, tools=[stranger, dotted, clashing, double])
    with pytest.raises(RegistryError) as caught:
        Registry([head, dotted, clashing])
    assert caught.value.faults == (
        "agent 'head': its tool 'stranger' is an agent that is not registered; add it to Registry(agents=[...])",
        "agent 'head': agent 'code.v2' cannot be a tool: its name must be 1 to 64 letters, digits, '_' or '-'",
        "two different tools are named 'double'; give one another name with @tool(name=...), or rename the agent",
    )
