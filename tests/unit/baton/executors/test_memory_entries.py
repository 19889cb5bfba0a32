"""What becomes an entry of memory."""

from typing import Any

import pytest

from baton.executors.memory_entries import (
    ANSWER_LIMIT_CHARS,
    QUESTION_LIMIT_CHARS,
    exchange_of,
    note_of,
)
from baton.memory.entries import NOTE_LIMIT_CHARS, question_of
from tests.unit.baton.memory.sample_entries import JOB, SUBMITTED_MS, TASK, a_job


def test_a_completed_job_becomes_its_question_and_answer() -> None:
    """Under the job's id, with the time of its submission: the same however often it is made."""
    entry = exchange_of(JOB, TASK)
    assert entry is not None
    assert entry.text == "Asked: Which colour has the lamp?\nAnswered: It is red."
    assert (entry.id, entry.kind, entry.session_id, entry.agent) == ("job_1", "exchange", "session_1", "keeper")
    assert (entry.job_id, entry.created_ms) == ("job_1", SUBMITTED_MS)
    assert exchange_of(a_job(finished_at_ms=5), TASK) == entry


@pytest.mark.parametrize("result", [None, {}, {"answer": ""}, {"answer": " "}, {"answer": 3}])
def test_a_job_without_an_answer_in_words_becomes_nothing(result: dict[str, Any] | None) -> None:
    assert exchange_of(a_job(result=result), TASK) is None


@pytest.mark.parametrize(
    ("task", "question"),
    [
        ({"text": " a ", "data": {"b": 1}}, "a"),
        ({"text": "", "data": {"b": 1}}, '{"b":1}'),
        ({"text": "", "data": {}}, ""),
        ({}, ""),
    ],
)
def test_the_question_is_the_task(task: dict[str, Any], question: str) -> None:
    assert question_of(task) == question
    assert (exchange_of(JOB, task) is None) == (not question)


def test_long_texts_are_cut_and_say_so() -> None:
    entry = exchange_of(a_job(result={"answer": "b" * 9000}), {"text": "a" * 9000})
    assert entry is not None
    question, answered = entry.text.split("\nAnswered: ")
    assert (len(question), len(answered)) == (len("Asked: ") + QUESTION_LIMIT_CHARS, ANSWER_LIMIT_CHARS)
    assert question.endswith("a [cut: 9000 characters]")
    assert len(note_of(JOB, "call_1", "c" * 9000).text) == NOTE_LIMIT_CHARS


def test_a_note_has_the_id_of_its_call() -> None:
    note = note_of(JOB, "call_1", " the door is green ")
    assert (note.id, note.kind, note.text, note.job_id) == ("call_1", "note", "the door is green", "job_1")
