"""What `durable()` refuses, and what a job has beyond a run: sessions, jobs below, streams, edits, newer records."""

from typing import Any

import agents as sdk
import httpx2
import openai
import pytest
from openai.types.responses import ResponseTextDeltaEvent

from baton import Registry
from baton.openai_agents import durable
from baton.testing import Simulation
from tests.unit.baton.sdk.openai_agents.example_agents import Scripted, weather
from tests.unit.baton.sdk.openai_agents.test_examples import CONFIG


@pytest.mark.parametrize("kind", ["WebSearchTool", "CodeInterpreterTool"])
def test_a_tool_that_acts_elsewhere_is_refused_by_name(kind: str) -> None:
    config: Any = {"type": "code_interpreter", "container": {"type": "auto"}}
    tool = sdk.WebSearchTool() if kind == "WebSearchTool" else sdk.CodeInterpreterTool(tool_config=config)
    with pytest.raises(ValueError, match=kind):
        durable(sdk.Agent("a", tools=[tool]))


def test_two_agents_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="are named 'a'"):
        durable(sdk.Agent("a", handoffs=[sdk.Agent("a")]))


def test_the_agent_is_not_changed() -> None:
    agent = sdk.Agent("a", tools=[weather], model=Scripted("a", "ok"))
    before = dict(vars(agent))
    durable(agent, run_config=CONFIG)
    assert vars(agent) == before


class _Streams(Scripted):
    async def stream_response(self, *args: Any, **given: Any) -> Any:
        for at, word in enumerate(("sun", "ny")):
            yield ResponseTextDeltaEvent(
                type="response.output_text.delta",
                delta=word,
                content_index=0,
                item_id="m",
                output_index=0,
                sequence_number=at,
                logprobs=[],
            )
        raise openai.APIConnectionError(request=httpx2.Request("POST", "https://api.example.com"))


async def test_a_model_without_connection_is_asked_again_and_its_text_is_streamed() -> None:
    model = _Streams("a", "sunny")
    run = await Simulation(Registry([durable(sdk.Agent("a", model=model), run_config=CONFIG)])).run("a", "go")
    assert run.status == "failed"
    assert run.error is not None
    assert run.error["type"] == "model_error"
    assert sum(part["type"] == "data-retry" for part in run.parts) > 1
