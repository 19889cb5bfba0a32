"""What a model is told, by each policy; a summary that fails; and work that would be told too much."""

from dataclasses import replace
from typing import Literal

import pytest

from baton import Agent, Call, DropOldest, KeepAll, Registry, ScriptedModel, Step, Summarize, result_of, tool
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, RunTool, Work
from baton.engine.state import CallRecord, Job
from baton.engine.step_results import ExtraUsage, ModelFailed, StepResult, ToolFailed, ToolReturned
from baton.engine.transitions import JobStatus
from baton.sdk.agents.history import HistoryPolicy
from baton.sdk.models.model import ModelAnswer, ModelError, ModelRequest, UserMessage
from baton.worker.executors.bounded import PromptLimit, prompt_too_large
from baton.worker.executors.history import Prompt, build_prompt
from baton.worker.executors.model_call import calls_of
from baton.worker.executors.model_turn import messages
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.kit.stage import SETTINGS, Stage
from tests.unit.baton.worker.conversation.sample_history import TASK, history_of, streamed_text, summary

SHORT = ModelAnswer("in short", (), 100, 10, 0.5)
USAGE = {"inputTokens": 100, "outputTokens": 10, "costUsd": 0.5}


def writing(reply: ModelAnswer | Exception = SHORT) -> Listening:
    def answer(_request: ModelRequest) -> ModelAnswer:
        if isinstance(reply, Exception):
            raise reply
        return reply

    return Listening(answer)


async def prompt(policy: HistoryPolicy, history: History, writer: Listening | None = None) -> Prompt:
    """What an agent with that policy is told."""
    agent = Agent("a", model="demo", history=policy)
    return await build_prompt(agent, history, (), calls_of(agent, "acme", 10, None), lambda: writer or writing())


async def summed_up(reply: ModelAnswer | Exception) -> Prompt:
    return await prompt(Summarize(1_000, keep_turns=3), history_of(10, 400), writing(reply))


def roles(told: Prompt) -> list[str]:
    return [entry["role"] for entry in told.history.transcript]


async def test_keeping_all_sends_every_turn_and_estimates_nothing() -> None:
    """A summary that another policy made before a deploy would tell the same twice, unless its turns are not loaded."""
    told = await prompt(KeepAll(), history_of(3, 100_000, summary(2), streamed_text(4)))
    assert roles(told) == ["user", "model", "model", "model", "model"]
    assert (told.estimated_tokens, told.extra_usage) == (0, ExtraUsage())
    loaded = History((TASK, streamed_text(8), summary(7), streamed_text(9)), compacted=(1, 8))
    told = await prompt(KeepAll(), loaded)
    assert told.history.transcript == (TASK, summary(7), streamed_text(8), streamed_text(9))


@pytest.mark.parametrize("policy", [DropOldest(1_000), Summarize(1_000)])
@pytest.mark.parametrize("history", [History(), history_of(3, 50)])
async def test_a_short_conversation_is_given_whole(policy: HistoryPolicy, history: History) -> None:
    """No model is asked; a model that reads no history is told none."""
    writer = writing()
    assert (await prompt(policy, history, writer)).history == history
    assert writer.requests == []


async def test_dropping_the_oldest_stays_within_the_limit() -> None:
    """And says what it thinks it takes. Where the provider counted twice as many tokens, half as much is told."""
    told = await prompt(DropOldest(1_000), history_of(30, 400))
    assert 500 < told.estimated_tokens <= 1_000
    assert roles(told)[:2] == ["user", "omitted"]
    assert told.extra_usage == ExtraUsage()
    plain = await prompt(DropOldest(2_000), history_of(30, 400))
    noted = history_of(29, 400, streamed_text(30, tokens={"estimated": 100, "input": 200}))
    corrected = await prompt(DropOldest(2_000), noted)
    assert corrected.estimated_tokens == pytest.approx(plain.estimated_tokens / 2, rel=0.2)


@pytest.mark.parametrize("cached", [False, True])
async def test_a_summary_is_sent_recorded_and_counted(cached: bool) -> None:
    """Written of all but the newest turns. From the cache it is no model call, and costs nothing."""
    reply = ModelAnswer("in short", (), 100, 10, 0.5, cached=cached)
    told = await summed_up(reply)
    entry = {"role": "summary", "upTo": 7, "text": "in short", "v": 1, "usage": {**USAGE, "cached": cached}}
    assert told.history.transcript == (TASK, entry, streamed_text(8), streamed_text(9), streamed_text(10))
    paid = ExtraUsage((entry,), 1, 0, 100, 10, 0.5, compacted=(1, 8))
    assert told.extra_usage == (ExtraUsage((entry,), cached_calls=1, compacted=(1, 8)) if cached else paid)


async def test_a_recorded_summary_is_not_written_again() -> None:
    writer = writing()
    told = await prompt(Summarize(1_000, keep_turns=3), history_of(10, 400, summary(7)), writer)
    assert told.history.transcript[:3] == (TASK, summary(7), streamed_text(8))
    assert (writer.requests, told.extra_usage) == ([], ExtraUsage())


@pytest.mark.parametrize(
    ("reply", "usage"),
    [
        (ModelError("429", retryable=True), ExtraUsage()),
        (ValueError("bug"), ExtraUsage()),
        (TimeoutError(), ExtraUsage()),
        pytest.param(ModelAnswer(" \n", (), 9, 1), ExtraUsage((), 1, 0, 9, 1), id="an empty one was paid"),
    ],
)
async def test_a_turn_can_do_without_its_summary(reply: ModelAnswer | Exception, usage: ExtraUsage) -> None:
    told = await summed_up(reply)
    assert roles(told)[:2] == ["user", "omitted"]
    assert told.extra_usage == usage


async def test_a_summary_stays_whose_tokens_are_no_number() -> None:
    told = await summed_up(ModelAnswer("in short", (), -9, 1))
    usage = told.extra_usage
    assert (roles(told)[1], usage.model_calls, usage.input_tokens, usage.output_tokens) == ("summary", 1, 0, 1)


async def test_a_summary_that_no_store_can_hold_is_mended() -> None:
    told = await summed_up(ModelAnswer("bad \ud800 text"))
    assert told.extra_usage.entries[0]["text"] == "bad \ufffd text"


async def test_summary_and_gap_are_rendered_as_notes_and_unknown_roles_not_at_all() -> None:
    """No model takes them for its task."""
    entries = (TASK, summary(3), {"role": "omitted", "turns": 2}, {"role": "of the future"})
    assert messages(History(entries)) == (
        UserMessage("do it"),
        UserMessage("[Summary of turns 1 to 3:]\nso far", note=True),
        UserMessage("[2 earlier turns are left out here.]", note=True),
    )


LIMIT_BYTES = 1_000
JOB = Job("job_1", "s", "t", "a", 0)
TURN, CALL = CallModel(JOB, 1, 1), RunTool(JOB, CallRecord("c", 1, 0, "t", {}), 1)
CLAIM = Claim("job_1", "k", "m", "o", 0, 0)


async def returns(effect: Work, history: History, claim: Claim) -> StepResult:
    return ToolReturned("1")


@pytest.mark.parametrize(("effect", "kind"), [(TURN, ModelFailed), (CALL, ToolFailed)])
async def test_work_that_is_given_more_fails_for_good(effect: Work, kind: type[ModelFailed] | type[ToolFailed]) -> None:
    """It is not tried again: it would be told as much. Up to the last byte it is done."""
    limited = PromptLimit(returns, LIMIT_BYTES)
    assert await limited(effect, History(size_bytes=LIMIT_BYTES), CLAIM) == ToolReturned("1")
    step_result = await limited(effect, History(size_bytes=LIMIT_BYTES + 1), CLAIM)
    assert isinstance(step_result, kind)
    assert step_result.failure == prompt_too_large(LIMIT_BYTES + 1, LIMIT_BYTES)
    assert not step_result.failure.retryable


def test_the_reason_names_the_total_the_limit_and_the_ways_out() -> None:
    failure = prompt_too_large(10_800_000, 8_000_000)
    assert failure is not None
    assert failure.type == "too_much_told"
    for word in ("10800000 bytes", "8000000", "return less", "elsewhere", "reference"):
        assert word in failure.message


def large() -> Registry:
    @tool(retries=0)
    async def read(part: int) -> str:
        return f"{part}" * 400

    @tool(retries=2)
    async def join(parts: list[str]) -> str:
        return "".join(parts)[:10]

    three = [Call("read", {"part": part}) for part in (1, 2, 3)]
    model = ScriptedModel([three, [Call("read", {"part": 4})], "read"])
    reads = [Step(f"p{part}", read, {"part": part}) for part in (1, 2, 3)]
    joins = Step("all", join, {"parts": [result_of(step.name) for step in reads]}, depends_on=["p1", "p2", "p3"])
    return Registry(
        [Agent("reads", model=model, tools=[read]), Agent("joins", plan=[*reads, joins], tools=[read, join])]
    )


@pytest.mark.parametrize("continuation", ["queue", "inline"])
@pytest.mark.parametrize("agent", ["reads", "joins"])
async def test_a_job_that_would_be_given_too_much_ends_with_the_reason(
    agent: str, continuation: Literal["queue", "inline"]
) -> None:
    """It is not tried again and again: whoever waits for it learns what to do, and somebody is alerted."""
    settings = replace(SETTINGS, continuation=continuation, result_limit_bytes=500, prompt_limit_bytes=LIMIT_BYTES)
    job = await Stage(settings=settings, registry=large()).played(agent)
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert f"over the limit of {LIMIT_BYTES}" in job.error.message
    assert "return a reference" in job.error.message
