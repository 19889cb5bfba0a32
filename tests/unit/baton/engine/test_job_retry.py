"""What a retry decides, from records alone."""

from msgspec.structs import replace

from baton.engine.decide import cancel, decide, retry
from baton.engine.effects import Changes, Decision, RunTool
from baton.engine.job_retry import EndedJob, why_not
from baton.engine.state import CallRecord, State
from baton.engine.step_results import Started, Undeliverable
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.waits import LIMIT_APPROVAL
from baton.engine.work_items import ItemKind
from baton.sdk.records.redaction import redacted
from baton.sdk.records.transcript import Failure
from baton_events.ids import call_id
from baton_events.schema import Cancellation, Retrial
from tests.unit.baton.engine.sample_state import JOB, NOW_MS, call_state, changes_of, job_of

FAILED = replace(JOB, status=JobStatus.FAILED, attempts=3, finished_at_ms=NOW_MS, error=Failure("boom", "it broke"))
AGAIN = Retrial(run=1, by="client of acme")


def a_call(position: int, status: CallStatus, turn: int = 2, **changes: object) -> CallRecord:
    arguments = {"path": str(position)}
    record = CallRecord(call_id(JOB.id, turn, position, "read_file", arguments), turn, position, "read_file", arguments)
    return replace(record, status=status, attempts=1, **changes)


def retried(ended: EndedJob, command: Retrial = AGAIN) -> Changes:
    changes = changes_of(retry(ended, command, NOW_MS))
    assert changes.begins_again
    return changes


def test_a_failed_turn_is_asked_again_as_its_next_attempt() -> None:
    """The attempts before do not count against its retries."""
    changes = retried(EndedJob(FAILED))
    assert [item.key for item in changes.items] == [f"loop:{JOB.id}:2:4"]
    assert (job_of(changes).run, job_of(changes).earlier, job_of(changes).status) == (2, 3, JobStatus.PENDING)
    assert (job_of(changes).error, job_of(changes).finished_at_ms) == (None, None)


def test_calls_that_are_not_over_are_made_again_and_the_others_are_not() -> None:
    """One that was approved, and had not begun when its job ended, makes its first attempt, as its second item."""
    over, waiting = a_call(0, CallStatus.COMPLETED), a_call(1, CallStatus.WAITING, operation_id="op")
    queued, approved = (replace(a_call(2 + asked, CallStatus.QUEUED), attempts=0, questions=asked) for asked in (0, 1))
    changes = retried(EndedJob(FAILED, (over, waiting, queued, approved)))
    assert [item.key for item in changes.items] == [
        *(f"call:{call.id}:{attempt}" for call, attempt in ((waiting, 2), (queued, 1), (approved, 2)))
    ]
    assert changes.forgets == (waiting.id, queued.id, approved.id)
    assert {record.status for record in changes.calls} == {CallStatus.QUEUED}
    assert [(record.earlier, record.operation_id) for record in changes.calls] == [(1, ""), (0, ""), (0, "")]
    assert job_of(changes).status is JobStatus.PROCESSING
    state = State(job_of(changes), changes.items[2], changes.calls[2])
    assert decide(state, Started(), NOW_MS).effects == (RunTool(state.job, state.the_call, attempt=1, again=True),)


def test_where_every_call_is_over_the_next_turn_begins() -> None:
    """Also where some of them failed: the model is given their errors. Questions that nobody decided are withdrawn."""
    calls = (a_call(0, CallStatus.COMPLETED), a_call(1, CallStatus.FAILED))
    assert [item.key for item in retried(EndedJob(FAILED, calls)).items] == [f"loop:{JOB.id}:3:1"]
    question = replace(a_call(0, CallStatus.WAITING), tool=LIMIT_APPROVAL)
    changes = retried(EndedJob(FAILED, (question,)))
    assert [(record.tool, record.status) for record in changes.calls] == [(LIMIT_APPROVAL, CallStatus.CANCELLED)]
    assert [item.kind for item in changes.items] == [ItemKind.LOOP]


def test_a_retry_or_a_cancellation_of_another_run_changes_nothing() -> None:
    for run in (0, 2):
        assert retry(EndedJob(FAILED), replace(AGAIN, run=run), NOW_MS) == Decision()
    later = replace(JOB, run=2)
    assert cancel(later, Cancellation(by="client"), NOW_MS) == Decision()
    assert cancel(later, Cancellation(by="client", run=2), NOW_MS).changes is not None


def test_from_the_start_what_was_open_is_cancelled_and_what_was_recorded_is_not_given() -> None:
    changes = retried(EndedJob(FAILED, (a_call(0, CallStatus.WAITING),), 7, 2), replace(AGAIN, from_start=True))
    assert (job_of(changes).compacted, job_of(changes).turn, job_of(changes).first_turn) == ((2, 7), 3, 3)
    assert [record.status for record in changes.calls] == [CallStatus.CANCELLED]
    assert [item.key for item in changes.items] == [f"loop:{JOB.id}:3:1"]


def test_a_call_whose_arguments_held_a_secret_cannot_be_made_again() -> None:
    arguments = {"apiKey": "something secret"}
    call = CallRecord(call_id(JOB.id, 2, 0, "pay", arguments), 2, 0, "pay", redacted(arguments), CallStatus.WAITING)
    ended = EndedJob(FAILED, (call,))
    assert "Retry from the start" in why_not(ended, from_start=False)
    assert retry(ended, AGAIN, NOW_MS) == Decision()
    assert why_not(ended, from_start=True) == ""


def test_an_attempt_that_could_not_be_delivered_counts() -> None:
    """So that a retry makes the next one, under a key of its own."""
    state = call_state(ItemKind.CALL, attempt=2)
    changes = changes_of(decide(state, Undeliverable("gone", malformed=True), NOW_MS))
    assert [record.attempts for record in changes.calls] == [2]
