"""A whole job whose model is a provider's: turns, tools, structured answer, usage, and failures that pass."""

import httpx
from pydantic import BaseModel

from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import Registry
from baton.sdk.tools.tool import tool
from baton.worker.runtime.job_view import job_view
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.sdk.models.through_pydantic_ai import openai_bodies as openai
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import OPENAI
from tests.unit.baton.sdk.models.through_pydantic_ai.recorded_streams import responses
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import event_stream, requesting


class Sum(BaseModel):
    """A sum."""

    sum: int


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def stage_of(agent: Agent) -> Stage:
    return Stage(registry=Registry([agent]))


async def test_a_job_counts_what_all_its_turns_took() -> None:
    stage = stage_of(Agent("a", model=OPENAI.model, tools=[add], model_settings={"max_tokens": 500}, output_type=Sum))
    with requesting(OPENAI) as requested:
        requested.answers(
            openai.response(openai.reasoning_item("gAAAAABn"), openai.call_item(0, "add", '{"a": 1, "b": 2}')),
            openai.response_with("It is 3."),
            openai.response(openai.call_item(1, "final_result", '{"sum": 3}')),
        )
        await stage.submit("a")
        await stage.run()
        sent = requested.sent()["input"]
    shown = job_view(await stage.snapshot(), stage.clock.now_ms())
    assert (shown["status"], shown["result"]) == ("completed", {"answer": '{"sum":3}', "output": {"sum": 3}})
    assert [item.get("type", item.get("role")) for item in sent] == [
        "user",
        "reasoning",
        "function_call",
        "function_call_output",
        "message",
        "user",
    ]
    assert "must be a call of 'final_result'" in sent[-1]["content"]
    usage = shown["usage"]
    assert (usage["inputTokens"], usage["outputTokens"], usage["cachedInputTokens"]) == (300, 30, 60)
    assert (usage["modelCalls"], usage["cachedCalls"]) == (3, 0)
    assert usage["costUsd"] > 0


async def test_a_rate_limit_delays_the_turn_as_long_as_the_provider_asks() -> None:
    """By an event that survives a crash."""
    stage = stage_of(Agent("a", model=OPENAI.model))
    with requesting(OPENAI) as requested:
        limited = httpx.Response(429, json=openai.refusal(429, "Slow down."), headers={"retry-after": "60"})
        requested.route.mock(side_effect=[limited, event_stream(responses(["Do", "ne."], ()))])
        started_ms = stage.clock.now_ms()
        await stage.submit("a")
        await stage.run()
    assert (await stage.snapshot()).job.result == {"answer": "Done."}
    assert stage.clock.now_ms() - started_ms >= 60_000
