"""What a turn decides: when a job starts, when the model has answered, when the model call failed."""

from typing import Any

from msgspec.structs import replace

from baton.core import parts
from baton.core.abandoned import no_start_left, process_died
from baton.core.admission import Want
from baton.core.approval import ask
from baton.core.budget import no_room, too_many_calls, with_lost
from baton.core.called import call_leg
from baton.core.effects import AskAdmission, CallModel, Changes, Decision, Talk
from baton.core.ending import end_by_limit, end_completed, end_failed
from baton.core.happenings import NO_ASIDE, Aside, ModelAnswered, ModelFailed, Wanted
from baton.core.legs import Leg, loop_leg
from baton.core.limits import Used
from baton.core.planned import in_order
from baton.core.redaction import redacted
from baton.core.retry import backoff_ms
from baton.core.state import CallRecord, Job, State
from baton.core.transcript import MEMORY_ROLE, model_entry, withheld_entry
from baton.core.transitions import CallStatus, Step, next_call_status, next_job_status
from baton_events.ids import call_id, canonical_json


def wishes(state: State) -> Decision:
    """Tell the admission."""
    want: Want = "slot" if state.leg.want == "slot" else "gone" if state.leg.want == "gone" else "none"
    return Decision(effects=(AskAdmission(state.job, want, state.leg.attempt, state.usage),))


def started(state: State, now_ms: int) -> Decision:
    """Ask the model, unless a limit leaves no room for another turn."""
    job, leg = state.job, state.leg
    if no_start_left(leg, leg.attempt - job.earlier - 1, job.model.retries):
        return end_failed(with_lost(job, leg), leg, process_died(leg, f"turn {leg.turn}"), now_ms)
    reached = no_room(state, now_ms)
    if reached:
        limit, holder = reached
        return _at_limit(with_lost(job, leg), leg, limit, now_ms, holder=holder)
    return Decision(effects=(CallModel(job, leg.turn - job.first_turn + 1, leg.attempt),))


def answered(state: State, happened: ModelAnswered, now_ms: int) -> Decision:
    """The model asks for tools, or the job is done."""
    return _with_aside(_answered(state, happened, now_ms), happened.aside)


def _answered(state: State, happened: ModelAnswered, now_ms: int) -> Decision:
    leg = state.leg
    holder = too_many_calls(state, len(happened.wanted)) if happened.wanted else None
    calls = 0 if holder else len(happened.wanted)
    job = _after_model_call(with_lost(state.job, leg), leg, happened, calls)
    thought = parts.reflection(leg.turn, happened.reflection)
    talk = _talk(leg, happened)
    text = () if talk else parts.text(parts.text_id(leg.turn, leg.attempt, leg.owner), happened.text)
    said = (*(() if talk else parts.step_start(leg.turn)), parts.usage(leg.turn, happened), *thought, *text)
    if not happened.wanted:
        spoken = model_entry(leg.turn, happened, ())
        return _talking(end_completed(job, leg, _result(happened), now_ms, said, spoken), talk)
    if holder is not None:
        decision = _at_limit(job, leg, "tool_calls", now_ms, said, holder=holder)
        assert decision.changes is not None, "a limit changes the job"
        records = _records(job.id, leg, happened, now_ms)
        entry = withheld_entry(leg.turn, leg.attempt, happened, records)
        decision = replace(decision, changes=replace(decision.changes, transcript=(entry,)))
        # Who is asked about the limit has made nothing of the answer yet: its text is abandoned.
        return decision if decision.changes and not decision.changes.ends else _talking(decision, talk)
    return _talking(_call_tools(job, leg, happened, now_ms, said), talk)


def _talk(leg: Leg, happened: ModelAnswered) -> Talk | None:
    """What was appended of the text goes on, if the text is what it began as."""
    spoken, text = happened.spoken, happened.text
    if spoken is None or not text.startswith(spoken.text):
        return None
    block = parts.text_id(leg.turn, leg.attempt, leg.owner)
    anew = (*parts.step_start(leg.turn), *parts.text(block, text))
    return Talk(spoken.text_id, spoken.appended, parts.text_rest(spoken.text_id, text[len(spoken.text) :]), anew)


def _talking(decision: Decision, talk: Talk | None) -> Decision:
    if talk is None:
        return decision
    assert decision.changes is not None, "an answer changes the job"
    return replace(decision, changes=replace(decision.changes, talk=talk))


def _at_limit(job: Job, leg: Leg, limit: str, now_ms: int, said: tuple[str, ...] = (), *, holder: Job) -> Decision:
    """What the agent's limits say: a person may raise a limit of the job's own, none of a job above it."""
    if job.limits.on_limit == "ask" and holder.id == job.id:
        return ask(job, leg, limit, now_ms)
    return end_by_limit(job, leg, limit, now_ms, said, holder=holder)


def model_failed(state: State, happened: ModelFailed, now_ms: int) -> Decision:
    """Try the turn again later, counted; without attempts left the job fails."""
    return _with_aside(_model_failed(state, happened, now_ms), happened.aside)


def _model_failed(state: State, happened: ModelFailed, now_ms: int) -> Decision:
    job, leg = _aside_of(with_lost(state.job, state.leg), happened.aside), state.leg
    attempt = leg.attempt - job.earlier
    if not happened.failure.retryable or attempt > job.model.retries:
        return end_failed(job, leg, happened.failure, now_ms)
    delay_ms = backoff_ms(job.model.retry_delay_seconds, attempt, happened.retry_after_seconds)
    again = loop_leg(job.id, leg.turn, leg.attempt + 1, now_ms, min(now_ms + delay_ms, job.deadline_ms))
    outcome = f"{happened.failure.type}: {happened.failure.message}; again in {delay_ms / 1000:g} s"
    return Decision(
        Changes(
            job=replace(job, **_under_way(job, leg)),
            legs=(replace(again, abandoned=leg.abandoned),),
            parts=(parts.handled(leg, now_ms, outcome, happened.failure),),
        )
    )


def _after_model_call(job: Job, leg: Leg, happened: ModelAnswered, tool_calls: int) -> Job:
    job = _aside_of(job, happened.aside)
    tokens = 0 if happened.cached else happened.input_tokens + happened.output_tokens
    return replace(
        job,
        **_under_way(job, leg),
        earlier=0,
        used=_used_for(job.used, happened, tool_calls),
        best_answer=happened.text or job.best_answer,
        reserve_tokens=tokens or job.reserve_tokens,
        reserve_usd=job.reserve_usd if happened.cached else happened.cost_usd or job.reserve_usd,
    )


def _used_for(before: Used, happened: ModelAnswered, tool_calls: int) -> Used:
    turns, calls = before.turns + 1, before.tool_calls + tool_calls
    if happened.cached:
        return replace(before, turns=turns, tool_calls=calls, cached_calls=before.cached_calls + 1)
    return replace(
        before,
        turns=turns,
        tool_calls=calls,
        input_tokens=before.input_tokens + happened.input_tokens,
        output_tokens=before.output_tokens + happened.output_tokens,
        cached_input_tokens=before.cached_input_tokens + happened.cached_input_tokens,
        cost_usd=before.cost_usd + happened.cost_usd,
        model_calls=before.model_calls + happened.model_calls,
    )


def _result(happened: ModelAnswered) -> dict[str, Any]:
    result: dict[str, Any] = {"answer": happened.text}
    return result if happened.output is None else {**result, "output": happened.output}


def _aside_of(job: Job, aside: Aside) -> Job:
    if aside is NO_ASIDE or aside == NO_ASIDE:
        return job
    untold = job.untold if aside.untold is None else aside.untold
    return replace(job, used=_used_aside(job.used, aside), untold=untold)


def _used_aside(used: Used, aside: Aside) -> Used:
    return replace(
        used,
        input_tokens=used.input_tokens + aside.input_tokens,
        output_tokens=used.output_tokens + aside.output_tokens,
        cost_usd=used.cost_usd + aside.cost_usd,
        model_calls=used.model_calls + aside.model_calls,
        cached_calls=used.cached_calls + aside.cached_calls,
    )


def _with_aside(decision: Decision, aside: Aside) -> Decision:
    """Whatever follows from the turn, what was done aside is recorded with it."""
    changes = decision.changes
    if changes is None or not aside.entries:
        return decision
    entries = (canonical_json(entry) for entry in aside.entries)
    said = (parts.recalled(entry) for entry in aside.entries if entry["role"] == MEMORY_ROLE)
    transcript, shown = (*entries, *changes.transcript), (*said, *changes.parts)
    return replace(decision, changes=replace(changes, transcript=transcript, parts=shown))


def _under_way(job: Job, leg: Leg) -> dict[str, Any]:
    started_at_ms = job.started_at_ms if job.started_at_ms is not None else leg.claimed_ms
    status = next_job_status(job.status, Step.TURN)
    return {"status": status, "turn": leg.turn, "attempts": leg.attempt, "started_at_ms": started_at_ms}


def _call_tools(job: Job, leg: Leg, happened: ModelAnswered, now_ms: int, said: tuple[str, ...]) -> Decision:
    records = _records(job.id, leg, happened, now_ms)
    legs = [call_leg(job.id, record, 1, now_ms) for record in records if record.status is CallStatus.QUEUED]
    shown = [parts.tool_input(record) for record in records]
    if len(legs) < len(records):
        refused = (record for record in records if record.status is CallStatus.FAILED)
        shown += [parts.tool_error(record.id, record.error) for record in refused if record.error]
    if not legs:
        legs.append(loop_leg(job.id, leg.turn + 1, 1, now_ms))
    outcome = f"asks for {len(records)} tool call{'s' * (len(records) > 1)}"
    return Decision(
        Changes(
            job=job,
            legs=tuple(legs),
            calls=records,
            transcript=(model_entry(leg.turn, happened, records),),
            parts=(
                *said,
                *((parts.plan_created(leg.turn, records),) if happened.plan else ()),
                *shown,
                parts.handled(leg, now_ms, outcome),
            ),
        )
    )


def _records(job_id: str, leg: Leg, happened: ModelAnswered, now_ms: int) -> tuple[CallRecord, ...]:
    wanted = happened.wanted
    return in_order(tuple([_record(job_id, leg, at, wish, now_ms) for at, wish in enumerate(wanted)]), wanted)


def _record(job_id: str, leg: Leg, position: int, wish: Wanted, now_ms: int) -> CallRecord:
    record = CallRecord(
        id=call_id(job_id, leg.turn, position, wish.tool, wish.arguments),
        turn=leg.turn,
        position=position,
        tool=wish.tool,
        arguments=wish.arguments,
        retries=wish.retries,
        retry_delay_seconds=wish.retry_delay_seconds,
        step=wish.step,
        on_failure=wish.on_failure,
        isolated=wish.isolated,
    )
    if wish.fault is None:
        return record
    status = next_call_status(record.status, Step.GIVE_UP)
    return replace(record, status=status, error=wish.fault, finished_at_ms=now_ms, arguments=redacted(record.arguments))
