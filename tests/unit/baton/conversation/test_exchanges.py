"""What was said before in a session: which jobs are part of the conversation, and what is told of them."""

from typing import Any

from msgspec.structs import replace

from baton.conversation.exchanges import (
    EXCHANGES,
    TOTAL_BYTES,
    Exchange,
    as_prompt,
    exchange_of,
    is_chat,
    recorded,
    still_valid,
)
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.models.model import ModelMessage, UserMessage
from baton.storage.ports.jobs import Snapshot

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
    small = recorded(exchanges(5, 100), 450)
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
