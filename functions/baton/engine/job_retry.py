"""Decisions on a retry: an ended job runs again under its id, from what failed or from its start.

Invariant: a call that is over does not run again; one that does keeps its id, and with it its idempotency key. Earlier
usage stays counted, and limits count anew. Each retry begins a new run: messages of the one before change nothing.
"""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from baton.engine import stream_parts
from baton.engine.effects import Changes, Decision
from baton.engine.state import CallRecord, Job, call_item
from baton.engine.transitions import CallStatus, JobStatus, Step, next_call_status, next_job_status
from baton.engine.waits import LIMIT_APPROVAL, TOOL_APPROVAL
from baton.engine.work_items import WorkItem, loop_item
from baton.sdk.records.redaction import REDACTED
from baton_events.ids import canonical_json, is_child, job_of_call, root_of, started_by, with_arguments
from baton_events.schema import Retrial

# Records among a job's calls that are no tool calls.
_QUESTIONS = (LIMIT_APPROVAL, TOOL_APPROVAL)
_OPEN = frozenset({CallStatus.QUEUED, CallStatus.RETRYING, CallStatus.WAITING})
# Of a job of code: it has ended before its code could go on with what had failed.
_UNANSWERED = ("budget_exceeded", "cancelled", "changed_code", "limit_exceeded", "unknown_agent")


class EndedJob(Struct, frozen=True):
    """A job with what a retry needs besides.

    `calls`: all of them. `entries`: the length of its transcript; `kept`: how many of the first entries every run has.
    `untaken`: of a job that runs code, the calls whose outcomes no recorded turn has taken.
    """

    job: Job
    calls: tuple[CallRecord, ...] = ()
    entries: int = 1
    kept: int = 1
    untaken: frozenset[str] = frozenset()


def why_not(ended: EndedJob, *, from_start: bool) -> str:
    """Return why this job cannot be retried like that, and the way out; empty: it can be."""
    job = ended.job
    if is_child(job.id) or job.is_operation:
        starter = root_of(job.id) if is_child(job.id) else job_of_call(started_by(job.id)[0])
        return f"job {job.id!r} runs for another one: retry job {starter!r}, which starts it again"
    if not job.ended:
        return f"job {job.id!r} has not ended: cancel it first, or let it end"
    if from_start:
        return ""
    if job.cancelling is not None or job.status is JobStatus.COMPLETED:
        why = "has cleaned up after a cancel" if job.cancelling else "is completed: nothing in it failed"
        return f"job {job.id!r} {why}. Retry it from the start"
    hidden = [call for call in _to_run(ended) if REDACTED in canonical_json(call.arguments)]
    lost = [call.id for call in hidden if call.id != with_arguments(call.id, call.tool, call.arguments)]
    if lost:
        return f"secrets in the arguments of tool call {lost[0]!r} are not kept once it has run. Retry from the start"
    return ""


def retried(ended: EndedJob, command: Retrial, now_ms: int) -> Decision:
    """Run the job again; no changes where it may not, or this run was retried before."""
    if ended.job.run != command.run or why_not(ended, from_start=command.from_start):
        return Decision()
    job = _anew(ended.job, now_ms)
    parts = (
        stream_parts.start(job.id),
        stream_parts.job_retried(job.run, now_ms, from_start=command.from_start, by=command.by),
    )
    if command.from_start:
        return Decision(_from_start(ended, job, parts, now_ms))
    return Decision(_from_failure(ended, job, parts, now_ms))


def _anew(job: Job, now_ms: int) -> Job:
    return replace(
        job,
        status=next_job_status(job.status, Step.RETRY),
        run=job.run + 1,
        earlier=0,
        before=job.used,
        counted_from_ms=now_ms,
        finished_at_ms=None,
        result=None,
        error=None,
        workspace="",  # it is released: the new run gets another one
        cancelling=None,
    )


def _from_start(ended: EndedJob, job: Job, parts: tuple[str, ...], now_ms: int) -> Changes:
    """Start at the next turn number, so that call ids are new; earlier turns are not sent to the model any more."""
    turn = job.turn + 1
    job = replace(job, turn=turn, first_turn=turn, attempts=0, compacted=(ended.kept, ended.entries), best_answer="")
    job = replace(job, stretches=0, scripts=(), stretch="", begins_at=ended.entries)
    withdrawn = _withdrawn(call for call in ended.calls if call.status in _OPEN)
    return Changes(job=job, items=(_turn(job, turn, 1, now_ms),), calls=withdrawn, parts=parts, begins_again=True)


def _from_failure(ended: EndedJob, job: Job, parts: tuple[str, ...], now_ms: int) -> Changes:
    again = tuple(_again(call, ended) for call in _to_run(ended))
    items = tuple(call_item(job.id, call, call.questions + call.earlier + 1, now_ms) for call in again)
    # What has ended, and the running script had not taken when the job ended.
    known = {call.id: call for call in ended.calls}
    waiting = [known[name] for one in ended.job.scripts[:1] for name in one.script.calls if name in known]
    untaken = tuple([call.id for call in waiting if call.status not in _OPEN])
    if job.model.runs_code:  # the run is made again from its records, with all that has ended
        job = replace(job, status=next_job_status(job.status, Step.TURN))
        items = (*items, _turn(job, job.turn + 1, 1, now_ms))
    elif items or untaken:  # its turn goes on
        job = replace(job, status=next_job_status(job.status, Step.TURN))
    elif job.turn == _last_requested_turn(ended):
        items = (_turn(job, job.turn + 1, 1, now_ms),)
    else:
        job = replace(job, earlier=job.attempts)
        items = (_turn(job, job.turn, job.attempts + 1, now_ms),)
    forgets = tuple(call.id for call in again)
    # Limits count anew, and a call that must ask asks again: these decisions are not awaited any more.
    questions = (call for call in ended.calls if call.tool in _QUESTIONS and call.status is CallStatus.WAITING)
    records = (*again, *_withdrawn(questions))
    return Changes(job=job, items=items, calls=records, forgets=forgets, parts=parts, begins_again=True, ended=untaken)


def _turn(job: Job, turn: int, attempt: int, now_ms: int) -> WorkItem:
    return loop_item(job.id, turn, attempt, now_ms, job.start_at_ms if job.start_at_ms > now_ms else 0)


def _last_requested_turn(ended: EndedJob) -> int:
    return max((call.turn for call in ended.calls if call.tool not in _QUESTIONS), default=0)


def _to_run(ended: EndedJob) -> list[CallRecord]:
    """Return the calls of the last turn that are not over, and those whose failure ended the job, or its code."""
    if ended.job.model.runs_code:
        mine = [call for call in ended.calls if call.turn >= ended.job.first_turn and call.tool not in _QUESTIONS]
        failed = ended.untaken if ended.job.error and ended.job.error.type not in _UNANSWERED else ()
        return [
            call
            for call in sorted(mine, key=lambda call: call.position)
            if call.status in _OPEN or (call.status is CallStatus.FAILED and call.id in failed)
        ]
    if ended.job.scripts and (running := ended.job.scripts[0]).script.calls:
        return [call for call in ended.calls if call.script == running.call.id and call.status in _OPEN]
    if ended.job.turn != _last_requested_turn(ended):
        return []
    scripts = {one.call.id for one in ended.job.scripts}  # they go on with the next turn
    return [
        call
        for call in sorted(ended.calls, key=lambda call: call.position)
        if call.turn == ended.job.turn and call.tool not in _QUESTIONS and call.id not in scripts
        if call.status in _OPEN or (call.status is CallStatus.FAILED and call.on_failure == "fail")
    ]


def _again(call: CallRecord, ended: EndedJob) -> CallRecord:
    """Return the call as it runs again: its request and its approval stay, its attempts go on counting."""
    status = next_call_status(call.status, Step.RETRY)
    attempts = max(call.attempts, int(call.id in ended.job.begun))
    anew = replace(call, status=status, attempts=attempts, earlier=attempts, error=None, finished_at_ms=None)
    return replace(anew, operation_id="", child="")


def _withdrawn(calls: Iterable[CallRecord]) -> tuple[CallRecord, ...]:
    return tuple(replace(call, status=next_call_status(call.status, Step.CANCEL)) for call in calls)
