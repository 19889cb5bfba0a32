"""A history in turns: what it is made of, how much it is, which policies keep it small, and what was said before it."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from baton import Agent, Call, DropOldest, Registry, ScriptedModel, Summarize, tool
from baton.engine.commit.answers import History
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.sdk.agents.history import LEAST_TOKENS
from baton.sdk.models.model import ModelAnswer, ModelMessage, Origin, ToolSpec, UserMessage
from baton.store.records.jobs import Snapshot
from baton.worker.conversation.conversation import (
    capacity_bytes,
    compacted,
    conversation_of,
    correction,
    fixed_bytes,
    summarized,
)
from baton.worker.conversation.earlier_jobs import EarlierJobs
from baton.worker.conversation.exchanges import (
    EXCHANGES,
    TOTAL_BYTES,
    Exchange,
    as_prompt,
    exchange_of,
    is_chat,
    recorded,
    still_valid,
)
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.worker.conversation.sample_history import TASK, history_of, streamed_text, summary


def test_the_newest_summary_stands_for_the_turns_that_it_covers() -> None:
    conversation = conversation_of(
        history_of(4, 10, summary(1, "old"), streamed_text(5), summary(3, "new"), streamed_text(6))
    )
    found = conversation.history()
    assert found.transcript == (TASK, summary(3, "new"), streamed_text(4), streamed_text(5), streamed_text(6))
    assert list(found.results) == ["c4"]
    assert [turn.number for turn in conversation.turns] == [4, 5, 6]


def test_what_the_user_wrote_later_stays_when_its_turn_is_left_out() -> None:
    more = {"role": "user", "text": "and this"}
    conversation = conversation_of(History((TASK, streamed_text(1), more, streamed_text(2))))
    assert summarized(conversation, summary(1)).history().transcript == (TASK, more, summary(1), streamed_text(2))


def test_what_a_retried_job_remembered_anew_stays_visible() -> None:
    """It stands behind what is left out of the runs before, and before the turns to sum up."""
    entries = [{"role": role, "turn": turn} for turn, role in enumerate(("user", "memory", "model", "model"))]
    assert compacted(History(tuple(entries), compacted=(1, 5)), 2) is None
    kept = [{"role": role, "turn": turn} for turn, role in enumerate(("user", "model", "model"))]
    assert compacted(History(tuple(kept), compacted=(1, 5)), 1) == (1, 6)


def history_with(*tokens: dict[str, int] | None) -> History:
    turns = (streamed_text(i, tokens=noted) if noted else streamed_text(i) for i, noted in enumerate(tokens, start=1))
    return History((TASK, *turns))


def test_the_newest_known_usage_corrects_the_estimate() -> None:
    """Within bounds: a provider that counts something else must not empty the conversation."""
    assert correction(history_with()) == 1.0
    for used, ratio in ((1, 0.5), (10_000, 4.0)):
        assert correction(history_with({"estimated": 100, "input": used})) == ratio
    assert correction(history_with({"estimated": 100, "input": 150}, {"estimated": 100, "input": 120}, None)) == 1.2


def test_the_room_is_what_instructions_and_tools_leave() -> None:
    tool = ToolSpec("read", "Read.", {"type": "object", "properties": {"n": {"type": "integer"}}})
    assert fixed_bytes("be kind", (tool,)) > fixed_bytes("be kind", ()) > fixed_bytes("", ())
    history = history_with({"estimated": 100, "input": 200})
    assert capacity_bytes(1_000, History((TASK,)), 500) == 3_500
    assert capacity_bytes(1_000, history, 500) == 1_500
    assert capacity_bytes(1_000, history, 5_000) == 0


@pytest.mark.parametrize("policy", [DropOldest, Summarize])
@pytest.mark.parametrize("max_tokens", [LEAST_TOKENS - 1, 1000.0, "1000", True])
def test_a_limit_that_nothing_fits_into_is_refused(policy: Any, max_tokens: Any) -> None:
    with pytest.raises(ValueError, match=rf"{policy.__name__}\(max_tokens={max_tokens!r}\)"):
        policy(max_tokens)


@pytest.mark.parametrize(
    "wrong", [{"keep_turns": 0}, {"keep_turns": 1.5}, {"keep_turns": True}, {"model": 3}, {"model": ScriptedModel}]
)
def test_a_summary_leaves_the_newest_turn_and_is_written_by_a_model(wrong: dict[str, Any]) -> None:
    """The newest results are what the model waits for; a number writes nothing, nor does a class."""
    with pytest.raises((ValueError, TypeError), match=r"keep_turns=|a model's name"):
        Summarize(1000, **wrong)


def test_usual_policies_are_taken() -> None:
    assert DropOldest(LEAST_TOKENS).max_tokens == LEAST_TOKENS
    assert Summarize(1000).model is None
    assert Summarize(1000, model="demo").model == "demo"
    assert Summarize(1000, 1, ScriptedModel(["s"])).keep_turns == 1


JOB = Job("job_1", "chat-1", "acme", "answers", 1)


def jobs(*names: tuple[str, str]) -> list[tuple[str, dict[str, Any], str]]:
    return [
        (name, {"text": name, "chat": {"replaces": replaced} if replaced else {}}, name) for name, replaced in names
    ]


def exchanges(count: int, size: int = 10) -> list[Exchange]:
    return [Exchange(f"job_{n}", "q" * size, "a" * size, "completed") for n in range(count)]


def test_what_was_replaced_is_no_part_of_the_conversation() -> None:
    assert still_valid(jobs(("a", ""), ("b", ""))) == ["a", "b"]
    assert still_valid(jobs(("a", ""), ("b", ""), ("c", "b"))) == ["a", "c"]
    assert still_valid(jobs(("a", ""), ("b", ""), ("c", "a"), ("d", ""))) == ["c", "d"]
    assert still_valid(jobs(("a", ""), ("b", "a"), ("c", "b"), ("d", "c"))) == ["d"]
    assert still_valid(jobs(("a", ""), ("b", "unknown"))) == ["a", "b"]
    assert still_valid([("a", {"text": ""}, "a")]) == ["a"]


def test_only_a_chats_job_is_part_of_one() -> None:
    assert is_chat({"chat": {}})
    assert not is_chat({"text": "x"})
    assert not is_chat({"chat": None})


def test_an_exchange_is_question_and_answer() -> None:
    done = replace(JOB, status=JobStatus.COMPLETED, result={"answer": "42"})
    assert exchange_of(Snapshot(done, {"text": "why?"})) == Exchange("job_1", "why?", "42", "completed")
    failed = exchange_of(Snapshot(replace(JOB, status=JobStatus.FAILED), {"text": "why?"}))
    assert (failed.answered, failed.status) == (None, "failed")
    data = exchange_of(Snapshot(replace(done, result={"answer": {"n": 1}}), {"text": "", "data": {"k": 2}}))
    assert (data.question, data.answered) == ('{"k":2}', '{"n":1}')
    long = exchange_of(Snapshot(replace(done, result={"answer": "x" * 100_000}), {"text": "y" * 100_000}))
    assert long.size_bytes < 13_000


def test_the_newest_exchanges_are_recorded() -> None:
    entry = recorded(exchanges(EXCHANGES + 2), TOTAL_BYTES)
    assert [shown["jobId"] for shown in entry["exchanges"]] == [f"job_{n}" for n in range(2, EXCHANGES + 2)]
    assert entry["leftOut"] == 2
    exact = sum(one.size_bytes for one in exchanges(5, 100))
    assert [len(recorded(exchanges(5, 100), size)["exchanges"]) for size in (exact - 1, exact)] == [4, 5]
    small = recorded(exchanges(5, 100), exact // 2)
    assert [shown["jobId"] for shown in small["exchanges"]] == ["job_3", "job_4"]
    assert "leftOut" not in recorded(exchanges(5), TOTAL_BYTES)
    assert recorded([], TOTAL_BYTES)["exchanges"] == []


def test_they_are_rendered_as_one_conversation() -> None:
    """In order; what was not answered is a note, so that nobody takes it for an answer."""
    entry = recorded([Exchange("a", "hello", "hi", "completed"), Exchange("b", "more", None, "cancelled")], TOTAL_BYTES)
    assert as_prompt(entry) == (
        UserMessage("hello"),
        ModelMessage("hi"),
        UserMessage("more"),
        UserMessage("[This was not answered: cancelled.]", note=True),
    )
    assert as_prompt({**entry, "leftOut": 3})[0] == UserMessage(
        "[Earlier messages of this conversation are left out here.]", note=True
    )


@tool
def look() -> str:
    return "seen"


@pytest.mark.parametrize(
    ("agent", "late", "told"),
    [
        ("answers", "", ("1 turns", 0)),
        ("answers", "transcript", ("", 0)),
        ("stops", "", ("", 1)),
        ("stops", "job", ("", 0)),
    ],
)
async def test_an_earlier_job_is_told_as_far_as_reads_show_it(agent: str, late: str, told: Any) -> None:
    """Its messages if its last turn is there, else question and answer; its calls if it has ended early."""
    cut = ModelAnswer("half", origin=Origin(finish_reason="length"))
    stops = Agent("stops", ScriptedModel([[Call("look")], cut]), tools=[look])
    stage = Stage(registry=Registry([Agent("answers", ScriptedModel(["done"])), stops]))
    await stage.played(agent)
    stage.reader.late = late
    earlier = EarlierJobs(stage.ports.listing, stage.reader, stage.ports.store)
    later = stage.job("answers", "job_2", session="session-job_1")
    (exchange,) = await earlier.before(later, {}, lambda turns, _: f"{len(turns)} turns")
    assert (exchange.messages, len(exchange.calls)) == told


@pytest.mark.parametrize(
    ("count", "replaced", "later", "told"),
    [
        (25, 12, 0, range(12)),
        (45, 2, 0, (0, 1)),  # it is not among the newest rows
        (45, 25, 20, (*range(25), *range(45, 65))),
    ],
)
async def test_what_a_message_has_replaced_stays_replaced_however_long_the_chat_is(
    count: int, replaced: int, later: int, told: Sequence[int]
) -> None:
    """Of a session with many rows, what was said behind an edited message came back into the conversation."""
    stage = Stage(registry=Registry([Agent("answers", ScriptedModel(["done"]))]))

    async def said(number: int, **chat: str) -> tuple[Job, dict[str, Any]]:
        stage.clock.ms += 1_000
        job, task = stage.job("answers", f"job_{number}", session="s"), {"text": "hello", "chat": chat}
        await stage.container.commands.submit(job, task)
        return job, task

    for number in range(count):
        await said(number)
    job, task = await said(count, replaces=f"job_{replaced}")
    for number in range(count + 1, count + 1 + later):
        job, task = await said(number)
    found = await EarlierJobs(stage.ports.listing, stage.reader, stage.ports.store).before(job, task)
    known = [int(one.job_id.removeprefix("job_")) for one in found]
    assert known == list(told)
