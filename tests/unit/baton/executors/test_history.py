"""What a model is told, by each policy, and what becomes of a summary that fails."""

from dataclasses import dataclass, field

import pytest

from baton import Agent, DropOldest, KeepAll, Summarize
from baton.conversation.policy import HistoryPolicy
from baton.engine.commit.answers import History
from baton.engine.step_results import ExtraUsage
from baton.executors.history import Prompt, build_prompt
from baton.executors.model_call import calls_of
from baton.executors.model_turn import messages
from baton.models.model import ModelAnswer, ModelError, ModelRequest, UserMessage
from tests.unit.baton.conversation.sample_history import TASK, history_of, streamed_text, summary


@dataclass
class Writer:
    reply: ModelAnswer | Exception = field(default_factory=lambda: ModelAnswer("in short", (), 100, 10, 0.5))
    requests: list[ModelRequest] = field(default_factory=list[ModelRequest])
    name = "writer"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        self.requests.append(request)
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


async def prompt(policy: HistoryPolicy, history: History, writer: Writer | None = None) -> Prompt:
    agent = Agent("a", model="demo", history=policy)
    return await build_prompt(agent, history, (), calls_of(agent, "acme", 10, None), writer or Writer())


def roles(history_now: Prompt) -> list[str]:
    return [entry["role"] for entry in history_now.history.transcript]


async def test_keeping_all_sends_every_turn_and_estimates_nothing() -> None:
    """A summary that another policy made before a deploy would tell the same twice."""
    history_now = await prompt(KeepAll(), history_of(3, 100_000, summary(2), streamed_text(4)))
    assert roles(history_now) == ["user", "model", "model", "model", "model"]
    assert (history_now.estimated_tokens, history_now.extra_usage) == (0, ExtraUsage())


async def test_keeping_all_after_a_summary_sends_it_where_its_turns_are_not_loaded() -> None:
    loaded = History((TASK, streamed_text(8), summary(7), streamed_text(9)), compacted=(1, 8))
    history_now = await prompt(KeepAll(), loaded)
    assert history_now.history.transcript == (TASK, summary(7), streamed_text(8), streamed_text(9))


@pytest.mark.parametrize("policy", [DropOldest(1_000), Summarize(1_000)])
@pytest.mark.parametrize("history", [History(), History((TASK,)), history_of(3, 50)])
async def test_a_short_conversation_is_given_whole(policy: HistoryPolicy, history: History) -> None:
    writer = Writer()
    assert (await prompt(policy, history, writer)).history == history
    assert writer.requests == []


async def test_dropping_the_oldest_stays_within_the_limit() -> None:
    history_now = await prompt(DropOldest(1_000), history_of(30, 400))
    assert 500 < history_now.estimated_tokens <= 1_000
    assert roles(history_now)[:2] == ["user", "omitted"]
    assert history_now.extra_usage == ExtraUsage()


async def test_what_the_provider_counted_lets_less_be_sent() -> None:
    """Twice as many tokens as thought: half as much is told."""
    plain = await prompt(DropOldest(2_000), history_of(30, 400))
    noted = history_of(29, 400, streamed_text(30, tokens={"estimated": 100, "input": 200}))
    corrected = await prompt(DropOldest(2_000), noted)
    assert corrected.estimated_tokens == pytest.approx(plain.estimated_tokens / 2, rel=0.2)


async def test_a_summary_is_sent_recorded_and_counted() -> None:
    writer = Writer()
    history_now = await prompt(Summarize(1_000, keep_turns=3), history_of(10, 400), writer)
    usage = {"inputTokens": 100, "outputTokens": 10, "costUsd": 0.5, "cached": False}
    entry = {"role": "summary", "upTo": 7, "text": "in short", "v": 1, "usage": usage}
    assert history_now.history.transcript == (TASK, entry, streamed_text(8), streamed_text(9), streamed_text(10))
    assert history_now.extra_usage == ExtraUsage((entry,), 1, 0, 100, 10, 0.5, compacted=(1, 8))
    assert len(writer.requests) == 1


async def test_a_recorded_summary_is_not_written_again() -> None:
    writer = Writer()
    history_now = await prompt(Summarize(1_000, keep_turns=3), history_of(10, 400, summary(7)), writer)
    assert history_now.history.transcript[:3] == (TASK, summary(7), streamed_text(8))
    assert (writer.requests, history_now.extra_usage) == ([], ExtraUsage())


@pytest.mark.parametrize("error", [ModelError("429", retryable=True), ValueError("bug"), TimeoutError()])
async def test_a_turn_can_do_without_its_summary(error: Exception) -> None:
    """The oldest turns are left out, this once; nothing is recorded."""
    history_now = await prompt(Summarize(1_000, keep_turns=3), history_of(10, 400), Writer(error))
    assert roles(history_now)[:2] == ["user", "omitted"]
    assert history_now.extra_usage == ExtraUsage()


async def test_an_empty_summary_is_none_but_was_paid() -> None:
    history_now = await prompt(
        Summarize(1_000, keep_turns=3), history_of(10, 400), Writer(ModelAnswer(" \n", (), 9, 1))
    )
    assert roles(history_now)[:2] == ["user", "omitted"]
    assert history_now.extra_usage == ExtraUsage((), 1, 0, 9, 1)


async def test_a_summary_from_the_cache_is_no_model_call() -> None:
    writer = Writer(ModelAnswer("in short", (), 100, 10, 0.5, cached=True))
    history_now = await prompt(Summarize(1_000, keep_turns=3), history_of(10, 400), writer)
    usage = {"inputTokens": 100, "outputTokens": 10, "costUsd": 0.5, "cached": True}
    assert history_now.extra_usage == ExtraUsage(
        ({**summary(7, "in short"), "usage": usage},), cached_calls=1, compacted=(1, 8)
    )


async def test_a_summary_that_no_store_can_hold_is_mended() -> None:
    history_now = await prompt(Summarize(1_000), history_of(10, 400), Writer(ModelAnswer("bad \ud800 text")))
    assert history_now.extra_usage.entries[0]["text"] == "bad ? text"


async def test_summary_and_gap_are_rendered_as_notes_and_unknown_roles_not_at_all() -> None:
    entries = (TASK, summary(3), {"role": "omitted", "turns": 2}, {"role": "of the future"})
    assert messages(History(entries)) == (
        UserMessage("do it"),
        UserMessage("[Summary of turns 1 to 3:]\nso far", note=True),
        UserMessage("[2 earlier turns are left out here.]", note=True),
    )
