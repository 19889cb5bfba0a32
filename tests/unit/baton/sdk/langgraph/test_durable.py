"""What `durable()` refuses, and what a job has beyond a run: chats, steering, edited arguments, newer records."""

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.outputs import ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph

from baton import Registry
from baton.langgraph import durable
from baton.testing import Approve, Simulation
from tests.unit.baton.sdk.langgraph.example_agents import Scripted, pay


def test_a_graph_that_create_agent_has_not_made_is_refused() -> None:
    graph: Any = StateGraph(MessagesState)
    graph.add_node("own", lambda state: state).add_edge(START, "own").add_edge("own", END)
    with pytest.raises(ValueError, match="no agent of create_agent"):
        durable(graph.compile(name="g"))


@pytest.mark.parametrize("setting", ["checkpointer", "interrupt_before", "interrupt_after"])
def test_what_the_job_does_itself_is_refused_by_name(setting: str) -> None:
    value: Any = InMemorySaver() if setting == "checkpointer" else ["model"]
    with pytest.raises(ValueError, match=setting):
        durable(create_agent(Scripted(turns=["ok"]), [pay], name="a", **{setting: value}))


def none(_: object) -> None:
    """Give nothing."""


def text(_: object) -> str:
    return "x"


@pytest.mark.parametrize("state", [none, text])
async def test_a_state_that_is_no_dict_is_refused_by_name(state: Any) -> None:
    """Where its annotation does not say so, once it has given one."""
    agent: Any = create_agent(Scripted(turns=["ok"]), [pay], name="a")
    with pytest.raises(ValueError, match=f"state={state.__name__}"):
        durable(agent, state=state)
    run = await Simulation(Registry([durable(agent, state=partial(state))])).run("a", "go")
    assert (run.error or {})["message"] == f"state= gave {state(run)!r}, which is no dict"


async def test_a_tool_that_asks_goes_on_with_edited_arguments() -> None:
    noted: list[Any] = []

    def spend(euros: int) -> str:
        """Spend."""
        from langgraph.types import interrupt  # noqa: PLC0415 - of this tool

        noted.append(interrupt("Really?"))
        return "spent"

    agent = create_agent(Scripted(turns=[[("spend", {"euros": 3})], "ok"]), [spend], name="a")
    run = await Simulation(Registry([durable(agent)])).run("a", "go", decide=lambda _: Approve(arguments={"euros": 2}))
    assert run.result["output"] == "ok"
    assert noted == [{"approved": True, "arguments": {"euros": 2}, "reason": ""}]


@pytest.mark.long
def test_what_the_schemas_name_is_read_back_where_langgraph_is_strict() -> None:
    """LangGraph reads the variable when it is imported; else it gives a dict in place of the value."""
    examples = [f"{Path(__file__).parent}/test_examples.py", "-k", "typed_state or structured_output"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n0", *examples]
    strict = {"LANGGRAPH_STRICT_MSGPACK": "true"}
    ran = subprocess.run(command, env=strict, capture_output=True, text=True, check=False, timeout=60)
    assert "2 passed" in ran.stdout, ran.stdout


class Ending(Scripted):
    """Ends its first answers with these words of a provider's."""

    words: list[str]
    name_of_word: str = "finish_reason"

    def _generate(self, *args: Any, **given: Any) -> ChatResult:
        result = super()._generate(*args, **given)
        word = self.words[min(len(self.read), len(self.words)) - 1]
        result.generations[0].message.response_metadata = {self.name_of_word: word}
        return result


@pytest.mark.parametrize(
    ("place", "word", "requests"),
    [
        *(("finish_reason", "error", 2), ("stop_reason", "NEW", 2), ("done_reason", "load", 2)),
        *(("stopReason", "STOP", 1), ("finish_reason", "stopstop", 1), ("stop_reason", "length", 1)),
    ],
)
async def test_an_answer_that_ends_broken_is_asked_for_again(place: str, word: str, requests: int) -> None:
    model = Ending(turns=["Pay 400."], words=[word, "stop"], name_of_word=place)
    run = await Simulation(Registry([durable(create_agent(model, name="a"))])).run("a", "go")
    assert (run.status, len(model.read)) == ("completed", requests)
    assert run.result.get("cut") is (True if word == "length" else None)
