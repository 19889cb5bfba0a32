"""How an ended job is remembered: by an item that outlives its end, so nothing waits for it and no crash loses it."""

from msgspec.structs import replace

from baton.core.abandoned import process_died
from baton.core.effects import Alert, Changes, Decision, Remember
from baton.core.redriving import THROTTLED_BUDGET
from baton.core.retry import backoff_ms
from baton.core.state import State
from baton.core.step_results import NotRemembered, Undeliverable
from baton.core.transitions import JobStatus
from baton.core.work_items import remember_item

# 5 s, 10 s, … 43 min: an hour and a half in all.
ATTEMPTS, RETRY_DELAY_SECONDS = 10, 5.0
# How often in a row the queue may give up on the work item: any attempt makes a new one.
UNDELIVERED_BUDGET = 5


def after_end(decision: Decision, now_ms: int) -> Decision:
    """The decision; where it completes a job that remembers, with the work item that does so."""
    changes = decision.changes
    job = changes.job if changes and changes.ends else None
    if changes is None or job is None or not job.remembers or job.status is not JobStatus.COMPLETED:
        return decision
    return replace(
        decision, changes=replace(changes, items=(*changes.items, remember_item(job.id, job.turn, 1, now_ms)))
    )


def started(state: State) -> Decision:
    """Store it, unless its processes have died too often: each such death counts as an attempt."""
    item = state.item
    if item.attempt + item.abandoned > ATTEMPTS:
        return _dropped(state, process_died(item, "remembering").message)
    return Decision(effects=(Remember(state.job),))


def stored() -> Decision:
    """The work item is done; the job stays as it ended."""
    return Decision(Changes())


def failed(state: State, step_result: NotRemembered, now_ms: int) -> Decision:
    """Try it again later, counted; without attempts left it is dropped, and somebody is told."""
    job, item, failure = state.job, state.item, step_result.failure
    if not failure.retryable or item.attempt >= ATTEMPTS:
        return _dropped(state, f"{failure.type}: {failure.message}")
    delay_ms = backoff_ms(RETRY_DELAY_SECONDS, item.attempt)
    return Decision(Changes(items=(remember_item(job.id, item.turn, item.attempt + 1, now_ms, now_ms + delay_ms),)))


def undeliverable(state: State, step_result: Undeliverable) -> Decision:
    """The queue gave up on the work item's event: within the budget it is redriven, else it is dropped."""
    worn = state.item.undelivered > UNDELIVERED_BUDGET or state.item.redriven > THROTTLED_BUDGET
    if not step_result.malformed and not worn:
        return Decision()
    return _dropped(state, step_result.reason)


def _dropped(state: State, reason: str) -> Decision:
    return Decision(Changes(), (Alert(state.job.id, f"job {state.job.id} is not remembered: {reason}"),))
