"""What `durable()` refuses, and what a job has beyond a run: chats, steering, edited arguments, newer records."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph

from baton import Registry
from baton.langgraph import durable
from baton.testing import Approve, Simulation
from tests.unit.baton.sdk.langgraph.example_agents import Scripted, pay


def test_a_graph_that_create_agent_has_not_made_is_refused() -> None:
    graph: Any = StateGraph(MessagesState)
    graph.add_node("own", lambda state: state)
    graph.add_edge(START, "own")
    graph.add_edge("own", END)
    with pytest.raises(ValueError, match="no agent of create_agent"):
        durable(graph.compile(name="g"))


@pytest.mark.parametrize("setting", ["checkpointer", "interrupt_before", "interrupt_after"])
def test_what_the_job_does_itself_is_refused_by_name(setting: str) -> None:
    value: Any = InMemorySaver() if setting == "checkpointer" else ["model"]
    agent: Any = create_agent(Scripted(turns=["ok"]), [pay], name="a", **{setting: value})
    with pytest.raises(ValueError, match=setting):
        durable(agent)


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
