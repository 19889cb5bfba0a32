"""Decisions on a turn: when it starts, when the model has answered, when the model call failed."""

import json
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from baton.engine import stream_parts
from baton.engine.all_jobs.slots import Want
from baton.engine.approvals import wait_for_limit
from baton.engine.attempts import backoff_ms, no_start_left, process_died
from baton.engine.effects import CallModel, Changes, Decision, GoingOn, RequestSlot, TextStream
from baton.engine.lifecycle import CLOSING, end_by_limit, end_completed, end_failed
from baton.engine.shared_limits import exhausted_limit, too_many_calls, with_abandoned
from baton.engine.state import CallRecord, Job, RunningScript, State, call_item, error_record
from baton.engine.step_results import NO_EXTRA_USAGE, ExtraUsage, ModelAnswered, ModelFailed, ModelWaits, OverBudget
from baton.engine.transcript import model_entry, withheld_entry
from baton.engine.transitions import CallStatus, Step, next_call_status, next_job_status
from baton.engine.work_items import WorkItem, loop_item
from baton.sdk.records.limits import Used
from baton.sdk.records.redaction import outcome_for_code, redacted
from baton.sdk.records.transcript import MEMORY_ROLE, Wanted
from baton_events.ids import call_id, canonical_json, step_id

# Amounts that used models add to a job's usage beside its turns.
_OF_MODELS = ("input_tokens", "output_tokens", "cost_usd", "model_calls", "cached_calls")


def slot_requests(state: State) -> Decision:
    """Send the slot request to the admission."""
    want: Want = "slot" if state.item.want == "slot" else "gone" if state.item.want == "gone" else "none"
    return Decision(effects=(RequestSlot(state.job, want, state.item.attempt, state.usage),))


def started(state: State, now_ms: int) -> Decision:
    """Call the model, unless a limit leaves no room for another turn."""
    job, item = state.job, state.item
    if no_start_left(item, item.attempt - job.earlier - 1, job.model.retries):
        return end_failed(with_abandoned(job, item), item, process_died(item, f"turn {item.turn}"), now_ms)
    # A request that was sent is paid for, so its answer counts; the next attempt or turn is held to the limits again.
    reached = None if item.offloaded else exhausted_limit(state, now_ms)
    if reached:
        limit, holder = reached
        return at_limit(with_abandoned(job, item), item, limit, now_ms, holder=holder)
    turn, news = item.turn - job.first_turn + 1 - job.stretches, tuple(state.news)
    work = CallModel(job, turn, item.attempt, item.offloaded, item.memo, item.begun_before, item.lost, news)
    return Decision(effects=(work,))


def waits(state: State, step_result: ModelWaits, now_ms: int) -> Decision:
    """Let the attempt wait for the answer to its offloaded request, at most until the job's deadline."""
    return _with_extra_usage(_waits(state, step_result, now_ms), step_result.extra_usage)


def _waits(state: State, step_result: ModelWaits, now_ms: int) -> Decision:
    item = state.item
    job = _extra_usage_of(with_abandoned(state.job, item), step_result.extra_usage)
    until_ms = min(step_result.until_ms, job.deadline_ms)
    # `since_ms` must change, whatever the clocks say: an earlier claim of the turn can then no longer commit.
    waiting = loop_item(job.id, item.turn, item.attempt, max(now_ms, item.since_ms + 1), until_ms)
    return Decision(
        Changes(
            job=replace(job, **under_way(job, item)),
            items=(replace(waiting, abandoned=item.abandoned, offloaded=step_result.number, memo=step_result.memo),),
            parts=(stream_parts.handled(item, now_ms, "waits for the model's answer"),),
        )
    )


def over_budget(state: State, step_result: OverBudget, now_ms: int) -> Decision:
    """Let the attempt wait until the budget's period ends, or ask a person to raise the budget."""
    job, item = state.job, state.item
    if not step_result.until_ms:
        return wait_for_limit(with_abandoned(job, item), item, step_result.about, now_ms)
    until_ms = min(step_result.until_ms, job.deadline_ms)
    # `since_ms` changes as where the answer is waited for; `lost` stays, since each call has a name of its own by it.
    again = loop_item(job.id, item.turn, item.attempt, max(now_ms, item.since_ms + 1), until_ms)
    limited_by = f"budget {step_result.about['key']!r}"
    return Decision(
        Changes(
            job=replace(job, **under_way(job, item)),
            items=(replace(again, lost=item.lost, abandoned=item.abandoned, limited_by=limited_by),),
            parts=(stream_parts.handled(item, now_ms, f"waits for the {limited_by}"),),
        )
    )


def answered(state: State, step_result: ModelAnswered, now_ms: int) -> Decision:
    """Start the tool calls that the model requests, or end the job with its answer."""
    return _with_extra_usage(_answered(state, step_result, now_ms), step_result.extra_usage)


def _answered(state: State, step_result: ModelAnswered, now_ms: int) -> Decision:
    item = state.item
    holder = too_many_calls(state, len(step_result.wanted)) if step_result.wanted else None
    calls = 0 if holder else len(step_result.wanted)
    # A withheld answer ends no turn: the attempts before a retry count as little as before.
    earlier = state.job.earlier if holder else 0
    job = replace(_after_model_call(with_abandoned(state.job, item), item, step_result, calls), earlier=earlier)
    thought = stream_parts.reflection(item.turn, step_result.reflection)
    text_stream = _text_stream(item, step_result)
    text = (
        ()
        if text_stream
        else stream_parts.text(stream_parts.text_id(item.turn, item.attempt, item.owner), step_result.text)
    )
    parts = (
        *(() if text_stream else stream_parts.step_start(item.turn)),
        stream_parts.usage(item.turn, step_result),
        *stream_parts.cut(item.turn, step_result),
        *thought,
        *text,
    )
    if step_result.waits:
        return Decision(
            Changes(
                job=job,
                transcript=(model_entry(item.turn, step_result, ()),),
                parts=(*parts, stream_parts.handled(item, now_ms, "goes on waiting")),
                took=state.news,
                gives_up=step_result.gives_up,
                closing=CLOSING,
            )
        )
    if not step_result.wanted:
        streamed_text = model_entry(item.turn, step_result, ())
        result: dict[str, Any] = {"answer": step_result.text, **({"cut": True} if step_result.cut else {})}
        result |= {} if step_result.output is None else {"output": step_result.output}
        ending = end_completed(job, item, result, now_ms, parts, streamed_text)
        ending = _for_code_above(ending, step_result.own) if job.for_code and step_result.own is not None else ending
        return _talking(_unless_steered(ending, job, item, now_ms, parts), text_stream)
    if holder is not None:
        decision = at_limit(job, item, "tool_calls", now_ms, parts, holder=holder)
        assert decision.changes is not None, "a limit changes the job"
        records = records_of(job, item, step_result.wanted, now_ms)
        entry = withheld_entry(item.turn, item.attempt, step_result, records)
        decision = replace(decision, changes=replace(decision.changes, transcript=(entry,)))
        # While a person decides about the limit, the answer has no effect: its text is abandoned.
        return decision if decision.changes and not decision.changes.ends else _talking(decision, text_stream)
    decision = _call_tools(job, item, step_result, now_ms, parts)
    return _of_code(state, step_result, decision) if step_result.stretch else _talking(decision, text_stream)


def _for_code_above(ending: Decision, own: Any) -> Decision:
    """Return the end of a job with the output as it is for the code that has started it."""
    changes = ending.changes
    if changes is None or changes.report is None:
        return ending
    outcome = outcome_for_code(json.loads(changes.report.outcome), {"ok": own})
    report = replace(changes.report, outcome=canonical_json(outcome))
    return replace(ending, changes=replace(changes, report=report))


def _of_code(state: State, step_result: ModelAnswered, decision: Decision) -> Decision:
    """Return the decision with what its code has taken and given up; a call that was refused has ended at once."""
    changes = decision.changes
    assert changes is not None, "calls change the job"
    refused = {record.id: error_record(record.error) for record in changes.calls if record.error}
    news: dict[str, Any] = {"ended": tuple(refused), "results": refused, "took": state.news}
    news |= {"gives_up": step_result.gives_up, "closing": CLOSING}
    return replace(decision, changes=replace(changes, **news))


def _unless_steered(ending: Decision, job: Job, item: WorkItem, now_ms: int, parts: tuple[str, ...]) -> Decision:
    """Return the end, with the changes to write instead where a message came that the model has not seen."""
    assert ending.changes is not None, "an end changes the job"
    shown = (*parts, stream_parts.handled(item, now_ms, "answers, and gets another message"))
    going_on = GoingOn(job, (loop_item(job.id, item.turn + 1, 1, now_ms),), shown)
    return replace(ending, changes=replace(ending.changes, going_on=going_on))


def _text_stream(item: WorkItem, step_result: ModelAnswered) -> TextStream | None:
    """Return how the streamed text goes on; None where the answer's text does not begin with it."""
    streamed_text, text = step_result.streamed_text, step_result.text
    if streamed_text is None or not text.startswith(streamed_text.text):
        return None
    block = stream_parts.text_id(item.turn, item.attempt, item.owner)
    anew = (*stream_parts.step_start(item.turn), *stream_parts.text(block, text))
    return TextStream(
        streamed_text.text_id,
        streamed_text.appended,
        stream_parts.text_rest(streamed_text.text_id, text[len(streamed_text.text) :]),
        anew,
    )


def _talking(decision: Decision, text_stream: TextStream | None) -> Decision:
    if text_stream is None:
        return decision
    assert decision.changes is not None, "an answer changes the job"
    return replace(decision, changes=replace(decision.changes, text_stream=text_stream))


def at_limit(
    job: Job, item: WorkItem, limit: str, now_ms: int, parts: tuple[str, ...] = (), *, holder: Job
) -> Decision:
    """Ask a person or end the job, as its limits say. A person can raise its own limit, none of a job above it."""
    if job.limits.on_limit == "ask" and holder.id == job.id and now_ms < job.deadline_ms:
        return wait_for_limit(job, item, {"limit": limit, "value": getattr(job.limits, limit)}, now_ms)
    return end_by_limit(job, item, limit, now_ms, parts, holder=holder)


def model_failed(state: State, step_result: ModelFailed, now_ms: int) -> Decision:
    """Retry the turn later, counted as an attempt; without attempts left the job fails."""
    return _with_extra_usage(_model_failed(state, step_result, now_ms), step_result.extra_usage)


def _model_failed(state: State, step_result: ModelFailed, now_ms: int) -> Decision:
    job, item = _extra_usage_of(with_abandoned(state.job, state.item), step_result.extra_usage), state.item
    attempt = item.attempt - job.earlier
    if not step_result.failure.retryable or attempt > job.model.retries:
        return end_failed(job, item, step_result.failure, now_ms)
    delay_ms = backoff_ms(job.model.retry_delay_seconds, attempt, step_result.retry_after_seconds)
    again = loop_item(job.id, item.turn, item.attempt + 1, now_ms, min(now_ms + delay_ms, job.deadline_ms))
    outcome = f"{step_result.failure.type}: {step_result.failure.message}; again in {delay_ms / 1000:g} s"
    return Decision(
        Changes(
            job=replace(job, **under_way(job, item)),
            items=(replace(again, abandoned=item.abandoned),),
            parts=(stream_parts.handled(item, now_ms, outcome, step_result.failure),),
        )
    )


def _after_model_call(job: Job, item: WorkItem, step_result: ModelAnswered, tool_calls: int) -> Job:
    job = _extra_usage_of(job, step_result.extra_usage)
    tokens = 0 if step_result.cached else step_result.input_tokens + step_result.output_tokens
    return replace(
        job,
        **under_way(job, item),
        used=_used_for(job.used, step_result, tool_calls),
        workspace=step_result.workspace or job.workspace,
        stretch=step_result.stretch,
        cancelling=job.cancelling and replace(job.cancelling, is_seen=True),
        best_answer=job.best_answer if step_result.cut else step_result.text or job.best_answer,
        reserve_tokens=tokens or job.reserve_tokens,
        reserve_usd=job.reserve_usd if step_result.cached else step_result.cost_usd or job.reserve_usd,
    )


def _used_for(before: Used, step_result: ModelAnswered, tool_calls: int) -> Used:
    turns, calls = before.turns + 1, before.tool_calls + tool_calls
    if step_result.cached:
        return replace(before, turns=turns, tool_calls=calls, cached_calls=before.cached_calls + 1)
    return replace(
        before,
        turns=turns,
        tool_calls=calls,
        input_tokens=before.input_tokens + step_result.input_tokens,
        output_tokens=before.output_tokens + step_result.output_tokens,
        cached_input_tokens=before.cached_input_tokens + step_result.cached_input_tokens,
        cost_usd=before.cost_usd + step_result.cost_usd,
        model_calls=before.model_calls + step_result.model_calls,
    )


def _extra_usage_of(job: Job, extra_usage: ExtraUsage) -> Job:
    if extra_usage is NO_EXTRA_USAGE or extra_usage == NO_EXTRA_USAGE:
        return job
    compacted = job.compacted if extra_usage.compacted is None else extra_usage.compacted
    more = {name: getattr(job.used, name) + getattr(extra_usage, name) for name in _OF_MODELS}
    return replace(job, used=replace(job.used, **more), compacted=compacted)


def _with_extra_usage(decision: Decision, extra_usage: ExtraUsage) -> Decision:
    """Return the decision with the turn's extra usage recorded, whatever follows from the turn."""
    changes = decision.changes
    if changes is None or not extra_usage.entries:
        return decision
    entries = (canonical_json(entry) for entry in extra_usage.entries)
    parts = (stream_parts.recalled(entry) for entry in extra_usage.entries if entry["role"] == MEMORY_ROLE)
    transcript, shown = (*entries, *changes.transcript), (*parts, *changes.parts)
    return replace(decision, changes=replace(changes, transcript=transcript, parts=shown))


def under_way(job: Job, item: WorkItem) -> dict[str, Any]:
    """Return the fields of a job that any attempt of a turn changes."""
    started_at_ms = job.started_at_ms if job.started_at_ms is not None else item.claimed_ms
    status = next_job_status(job.status, Step.TURN)
    return {"status": status, "turn": item.turn, "attempts": item.attempt, "started_at_ms": started_at_ms}


def _call_tools(job: Job, item: WorkItem, step_result: ModelAnswered, now_ms: int, parts: tuple[str, ...]) -> Decision:
    records = records_of(job, item, step_result.wanted, now_ms)
    pairs = tuple(zip(records, step_result.wanted, strict=True))
    scripts = tuple([RunningScript(record, call.script) for record, call in pairs if call.script])
    calls = [record for record, call in pairs if not call.script] if scripts else records
    items, shown = requested(job.id, item, calls, now_ms)
    if scripts:
        shown = [*(stream_parts.tool_input(one.call) for one in scripts), *shown]
    outcome = f"asks for {len(records)} tool call{'s' * (len(records) > 1)}"
    return Decision(
        Changes(
            job=replace(job, scripts=scripts) if scripts else job,
            items=items,
            calls=records,
            transcript=(model_entry(item.turn, step_result, records),),
            parts=(
                *parts,
                *((stream_parts.plan_created(item.turn, records),) if step_result.plan else ()),
                *shown,
                stream_parts.handled(item, now_ms, outcome),
            ),
        )
    )


def requested(
    job_id: str, item: WorkItem, records: Sequence[CallRecord], now_ms: int
) -> tuple[tuple[WorkItem, ...], list[str]]:
    """Return the work items that follow from these calls, or the next turn if none of them runs, and their parts."""
    items = [call_item(job_id, record, 1, now_ms) for record in records if record.status is CallStatus.QUEUED]
    shown = [stream_parts.tool_input(record) for record in records]
    if len(items) < len(records):
        refused = (record for record in records if record.status is CallStatus.FAILED)
        shown += [stream_parts.tool_error(record.id, record.error) for record in refused if record.error]
    if not items:
        items.append(loop_item(job_id, item.turn + 1, 1, now_ms))
    return tuple(items), shown


def records_of(job: Job, item: WorkItem, wanted: Sequence[Wanted], now_ms: int) -> tuple[CallRecord, ...]:
    """Return the records of a turn's calls."""
    return _in_order(tuple([_record(job, item, at, call, now_ms) for at, call in enumerate(wanted)]), wanted)


def _record(job: Job, item: WorkItem, position: int, call: Wanted, now_ms: int) -> CallRecord:
    name = (
        step_id(job.id, job.first_turn, call.number, call.tool, call.arguments)
        if call.number
        else call_id(job.id, item.turn, position, call.tool, call.arguments)
    )
    record = CallRecord(
        id=name,
        turn=item.turn,
        position=call.number or position,
        tool=call.tool,
        arguments=call.arguments,
        retries=call.retries,
        retry_delay_seconds=call.retry_delay_seconds,
        step=call.step,
        on_failure=call.on_failure,
        isolated=call.isolated,
    )
    if call.fault is None:
        return record
    status = next_call_status(record.status, Step.GIVE_UP)
    return replace(record, status=status, error=call.fault, finished_at_ms=now_ms, arguments=redacted(record.arguments))


def _in_order(records: tuple[CallRecord, ...], wanted: Sequence[Wanted]) -> tuple[CallRecord, ...]:
    """Return a turn's calls, each with the steps before and after it; calls that are no steps stay as they are."""
    ids = {record.step: record.id for record in records if record.step}
    if not ids:
        return records
    direct = {
        record.id: {name: ids[name] for name in call.depends_on if name in ids}
        for record, call in zip(records, wanted, strict=True)
    }
    return tuple(
        replace(record, after=direct[record.id], dependants=_dependants(record.id, direct)) for record in records
    )


def _dependants(call_id: str, direct: dict[str, dict[str, str]]) -> tuple[str, ...]:
    found, new = set[str](), {call_id}
    while new:
        new = {other for other, before in direct.items() if not new.isdisjoint(before.values())} - found
        found |= new
    return tuple(sorted(found))
