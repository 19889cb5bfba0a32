"""What a fork takes over of a job, from records alone."""

from typing import Any

from msgspec.structs import replace

from baton.engine.decide import retry
from baton.engine.fork import Ended, Source
from baton.engine.job_retry import EndedJob
from baton.engine.transitions import JobStatus
from baton_events.schema import Retrial
from tests.unit.baton.engine.sample_state import JOB, NOW_MS, changes_of, job_of


def said(text: str) -> dict[str, Any]:
    return {"role": "user", "messageId": text, "text": text}


def answered(turn: int) -> dict[str, Any]:
    return {"role": "model", "turn": turn, "text": "", "calls": []}


def test_a_message_behind_the_last_answer_of_the_run_before_is_of_that_run() -> None:
    """Also once the run's own turns are compacted."""
    transcript = (said("task"), answered(1), said("before"), said("now"), answered(3), answered(4))
    failed = replace(JOB, status=JobStatus.FAILED, turn=2, run=1)
    again = job_of(changes_of(retry(EndedJob(failed, entries=3), Retrial(run=1, by="me", from_start=True), NOW_MS)))
    for compacted in (again.compacted, (1, 5)):
        ended = Ended(Source(replace(again, turn=4, compacted=compacted), (), {}, transcript))
        assert [entry["text"] for entry in ended.entries_before(3)] == ["now"]
