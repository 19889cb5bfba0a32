"""How an ended job is remembered: by a leg that outlives its end, so nothing waits for it and no crash loses it."""

from msgspec.structs import replace

from baton.core.abandoned import process_died
from baton.core.driving import THROTTLED_BUDGET
from baton.core.effects import Alert, Changes, Decision, Remember
from baton.core.happenings import NotRemembered, Undeliverable
from baton.core.legs import remember_leg
from baton.core.retry import backoff_ms
from baton.core.state import State
from baton.core.transitions import JobStatus

# 5 s, 10 s, … 43 min: an hour and a half in all.
ATTEMPTS, RETRY_DELAY_SECONDS = 10, 5.0
# How often in a row the queue may give up on the leg: any attempt makes a new one.
UNDELIVERED_BUDGET = 5


def after_end(decision: Decision, now_ms: int) -> Decision:
    """The decision; where it completes a job that remembers, with the leg that does so."""
    changes = decision.changes
    job = changes.job if changes and changes.ends else None
    if changes is None or job is None or not job.remembers or job.status is not JobStatus.COMPLETED:
        return decision
    return replace(decision, changes=replace(changes, legs=(*changes.legs, remember_leg(job.id, job.turn, 1, now_ms))))


def started(state: State) -> Decision:
    """Store it, unless its processes have died too often: each such death counts as an attempt."""
    leg = state.leg
    if leg.attempt + leg.abandoned > ATTEMPTS:
        return _dropped(state, process_died(leg, "remembering").message)
    return Decision(effects=(Remember(state.job),))


def stored() -> Decision:
    """The leg is done; the job stays as it ended."""
    return Decision(Changes())


def failed(state: State, happened: NotRemembered, now_ms: int) -> Decision:
    """Try it again later, counted; without attempts left it is dropped, and somebody is told."""
    job, leg, failure = state.job, state.leg, happened.failure
    if not failure.retryable or leg.attempt >= ATTEMPTS:
        return _dropped(state, f"{failure.type}: {failure.message}")
    delay_ms = backoff_ms(RETRY_DELAY_SECONDS, leg.attempt)
    return Decision(Changes(legs=(remember_leg(job.id, leg.turn, leg.attempt + 1, now_ms, now_ms + delay_ms),)))


def undeliverable(state: State, happened: Undeliverable) -> Decision:
    """The queue gave up on the leg's event: within the budget it is driven again, else it is dropped."""
    worn = state.leg.undelivered > UNDELIVERED_BUDGET or state.leg.driven > THROTTLED_BUDGET
    if not happened.malformed and not worn:
        return Decision()
    return _dropped(state, happened.reason)


def _dropped(state: State, reason: str) -> Decision:
    return Decision(Changes(), (Alert(state.job.id, f"job {state.job.id} is not remembered: {reason}"),))
