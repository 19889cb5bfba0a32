"""Agents of `create_agent`, as jobs and by `ainvoke`: the same output or error, messages, usage, requests and hooks."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, message_to_dict
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from pydantic_core import to_jsonable_python

from baton import Registry
from baton.langgraph import durable
from baton.testing import Approve, Reject, Simulation
from tests.unit.baton.sdk.langgraph.example_agents import EXAMPLES, Case


async def own_run(case: Case) -> Any:
    graph = case.agent.copy({"checkpointer": InMemorySaver()})
    config: Any = {"configurable": {"thread_id": "t"}}
    given: Any = {**case.state, "messages": [HumanMessage("do it")]}
    result = await graph.ainvoke(given, config, context=case.context)
    for decision in case.decisions:
        result = await graph.ainvoke(Command(resume=decision), config, context=case.context)
    assert "__interrupt__" not in result
    return result


def as_job(case: Case) -> Any:
    return durable(case.agent, context=lambda _: case.context, state=lambda _: case.state)


def _decide(case: Case) -> Any:
    return lambda _: Reject("too dear") if case.refuses else Approve()


def _plain(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages without their ids, which LangChain makes anew for each run."""
    return [{**one, "data": {**one["data"], "id": None}} for one in messages]


@pytest.mark.parametrize("name", EXAMPLES)
async def test_a_job_is_what_langgraph_makes_of_it(name: str) -> None:
    case = EXAMPLES[name]()
    error = expected = None
    try:
        expected = await own_run(case)
    except Exception as raised:  # noqa: BLE001 - any that a run raises
        error = raised
    again = EXAMPLES[name]()
    run = await Simulation(Registry([as_job(again)])).run("job", "do it", decide=_decide(case))
    if error is not None:
        assert run.error == {"type": type(error).__name__, "message": str(error)}
        return
    assert run.error is None
    assert expected is not None
    assert again.model.read == case.model.read
    assert again.noted == case.noted
    messages = expected["messages"]
    output = expected.get("structured_response", messages[-1].text)
    assert run.result["output"] == to_jsonable_python(output)
    wanted = [to_jsonable_python(message_to_dict(one), fallback=str, bytes_mode="base64") for one in messages]
    assert _plain(run.model_messages) == _plain(wanted)
    used = [one.usage_metadata for one in messages if isinstance(one, AIMessage) and one.usage_metadata]
    assert run.usage["inputTokens"] == sum(one["input_tokens"] for one in used)
    assert run.usage["outputTokens"] == sum(one["output_tokens"] for one in used)
