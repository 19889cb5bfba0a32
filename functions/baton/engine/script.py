"""Decisions on a script of the model: when a stretch of it starts, when it waits for its calls, when it has ended.

A stretch is a turn of the job that calls no model. It takes what has ended of the script's calls, and begins further
ones, which are numbered. Invariant: scripts of one answer run one after the other, each to its end. Their records are
written by turns alone, so parallel calls do not contend. What follows a script has the same number of its turn however
the ends of its calls came together.
"""

from msgspec.structs import replace

from baton.engine import stream_parts
from baton.engine.attempts import no_start_left, process_died
from baton.engine.effects import Changes, Decision, RunScript
from baton.engine.lifecycle import CLOSING, end_by_limit
from baton.engine.shared_limits import too_many_calls
from baton.engine.state import CallRecord, Job, RunningScript, State, error_record, ok_record
from baton.engine.step_results import ScriptEnded, ScriptWaits
from baton.engine.transitions import Step, next_call_status
from baton.engine.turn import at_limit, records_of, requested, under_way
from baton.engine.work_items import ItemKind, WorkItem, loop_item
from baton.sdk.records.transcript import Failure
from baton_events.ids import step_number

SCRIPT_ERROR = "script_error"


def started(state: State, now_ms: int) -> Decision:
    """Run a stretch, unless the job's time is over; a script in which processes die is given up."""
    job, item = state.job, state.item
    if now_ms >= job.deadline_ms:
        return end_by_limit(job, item, "wall_seconds", now_ms)
    if no_start_left(item, item.attempt - job.earlier - 1, job.model.retries):
        failure = Failure(SCRIPT_ERROR, process_died(item, "the script").message)
        return ended(state, ScriptEnded(failure=failure), now_ms)
    return Decision(effects=(RunScript(job, tuple(state.news)),))


def waits(state: State, step_result: ScriptWaits, now_ms: int) -> Decision:
    """Start the calls that the script has made. One that could not run has its error as its result, and has ended."""
    item, wanted, made = state.item, step_result.wanted, state.job.used.tool_calls
    if (holder := too_many_calls(state, len(wanted))) is not None:
        return at_limit(state.job, item, "tool_calls", now_ms, holder=holder)
    running, *later = state.job.scripts
    call = _begun(running.call, item, Step.WAIT)
    wanted = tuple([replace(one, number=made + at) for at, one in enumerate(wanted, 1)])
    records = tuple([replace(record, script=call.id) for record in records_of(state.job, item, wanted, now_ms)])
    items, parts = requested(state.job.id, item, records, now_ms)
    refused = {record.id: error_record(record.error) for record in records if record.error}
    job, script = _after_stretch(state.job, item, item.turn + 1), step_result.script
    begun_at = script.begun_at if running.script.snapshot else (item.turn, made)
    script = replace(script, begun_at=begun_at, calls=(*script.calls, *[record.id for record in records]))
    used = replace(job.used, tool_calls=made + len(records))
    outcome = f"the script waits for {len(script.calls)} tool call{'s' * (len(script.calls) > 1)}"
    return Decision(
        Changes(
            job=replace(job, used=used, scripts=(RunningScript(call, script), *later)),
            items=tuple([one for one in items if one.kind is ItemKind.CALL]),
            calls=records if call == running.call else (call, *records),
            results=refused,
            parts=(*parts, stream_parts.handled(item, now_ms, outcome)),
            ended=tuple(refused),
            took=state.news,
        )
    )


def ended(state: State, step_result: ScriptEnded, now_ms: int) -> Decision:
    """Record the script's outcome; the next script begins, or the model gets the results. Its other calls end."""
    item, failure = state.item, step_result.failure
    running, *later = state.job.scripts
    step = Step.RETURN if failure is None else Step.GIVE_UP
    call = replace(_begun(running.call, item, step), error=failure, finished_at_ms=now_ms)
    turn = item.turn + 1
    if running.script.snapshot:  # each call that it has made may have had a stretch of its own
        begun_at, made = running.script.begun_at
        turn = max(turn, begun_at + state.job.used.tool_calls - made + 1)
    job = _after_stretch(state.job, item, turn)
    part = stream_parts.tool_error(call.id, failure) if failure else None
    record = error_record(failure) if failure else ok_record(step_result.result_json, "", step_result.apart_bytes)
    outcome = "the script has failed" if failure else "the script has ended"
    return Decision(
        Changes(
            job=replace(job, scripts=tuple(later)),
            items=(loop_item(job.id, turn, 1, now_ms),),
            calls=(call,),
            results={call.id: record},
            parts=(
                part or stream_parts.tool_output(call.id, step_result.result_json, step_result.apart_bytes),
                stream_parts.handled(item, now_ms, outcome),
            ),
            apart_bytes=step_result.apart_bytes,
            took=state.news,
            gives_up=tuple([step_number(one) for one in running.script.calls if one not in state.news]),
            closing=CLOSING,
        )
    )


def _after_stretch(job: Job, item: WorkItem, turn: int) -> Job:
    return replace(job, **under_way(job, item), earlier=0, stretches=job.stretches + turn - item.turn)


def _begun(call: CallRecord, item: WorkItem, step: Step) -> CallRecord:
    """Return the record of a script that has begun, and then takes this step; one that waits goes on waiting."""
    if call.started_at_ms is not None and step is Step.WAIT:
        return call
    status = next_call_status(next_call_status(call.status, Step.RUN), step)
    started_at_ms = item.claimed_ms if call.started_at_ms is None else call.started_at_ms
    return replace(call, status=status, attempts=1, started_at_ms=started_at_ms)
