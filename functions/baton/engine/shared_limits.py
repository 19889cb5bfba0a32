"""Limits that a job shares with the jobs below it: usage, reservations, and the possible usage of dead attempts.

Invariant: a turn begins only if there is room at every level above it, reservations of what is in flight included; an
attempt that died counts in full.
"""

from msgspec.structs import replace

from baton.engine.effects import Decision
from baton.engine.state import BudgetScope, Job, State
from baton.engine.work_items import ItemKind, WorkItem
from baton.sdk.records.limits import exceeded, shared_use, spent
from baton_events.ids import is_child


def exhausted_limit(state: State, now_ms: int) -> tuple[str, Job] | None:
    """Return the first limit that leaves no room for another turn, and the job that has it; None: there is room."""
    for above, scope in enumerate(state.budget_scopes or (BudgetScope(state.job),)):
        job = scope.job if above else with_abandoned(state.job, state.item)
        used = shared_use(job.used, job.before, scope.child_usage, scope.in_flight_tokens)
        limit = exceeded(job.limits, used, now_ms - (job.counted_from_ms or job.created_at_ms))
        if limit:
            return limit, job
    return None


def too_many_calls(state: State, more: int) -> Job | None:
    """Return the job whose limit of tool calls leaves no room for this many more; None: there is room."""
    for scope in state.budget_scopes or (BudgetScope(state.job),):
        job = scope.job
        if job.used.tool_calls - job.before.tool_calls + scope.child_usage.tool_calls + more > job.limits.tool_calls:
            return job
    return None


def with_abandoned(job: Job, item: WorkItem) -> Job:
    """Return the job with the possible usage of this turn's dead attempts: each as much as the last call."""
    if item.kind is not ItemKind.LOOP or not item.lost or job.scripts:
        return job
    tokens, cost = item.lost * job.reserve_tokens, item.lost * job.reserve_usd
    used = replace(job.used, input_tokens=job.used.input_tokens + tokens, cost_usd=job.used.cost_usd + cost)
    return replace(job, used=used)


def shared(state: State, decision: Decision) -> Decision:
    """Return the decision with a child's usage noted at the jobs above it, in the same write."""
    changes = decision.changes
    if changes is None or changes.job is None or not is_child(state.job.id):
        return decision
    spends = spent(state.job.used, changes.job.used)
    return replace(decision, changes=replace(changes, spends=spends))
