"""Limits that a job shares with the jobs below it: what was used, what is reserved, what a dead attempt may have taken.

Invariant: a turn begins only if there is room at every level above it, reservations of what is in flight included; an
attempt that died counts in full.
"""

from msgspec.structs import replace

from baton.engine.effects import Decision
from baton.engine.state import BudgetScope, Job, State
from baton.engine.work_items import WorkItem
from baton.sdk.limits import exceeded, shared_use, spent
from baton_events.ids import is_child


def exhausted_limit(state: State, now_ms: int) -> tuple[str, Job] | None:
    """The first limit that leaves no room for another turn, and the job whose limit it is."""
    for above, scope in enumerate(state.budget_scopes or (BudgetScope(state.job),)):
        job = scope.job if above else with_abandoned(state.job, state.item)
        used = shared_use(job.used, job.before, scope.child_usage, scope.in_flight_tokens)
        limit = exceeded(job.limits, used, job.counted_ms(now_ms))
        if limit:
            return limit, job
    return None


def too_many_calls(state: State, more: int) -> Job | None:
    """The job whose limit of tool calls leaves no room for so many more."""
    for scope in state.budget_scopes or (BudgetScope(state.job),):
        job = scope.job
        if job.used.tool_calls - job.before.tool_calls + scope.child_usage.tool_calls + more > job.limits.tool_calls:
            return job
    return None


def with_abandoned(job: Job, item: WorkItem) -> Job:
    """The job with what attempts of this turn that died may have used: as much as the last call did."""
    if not item.lost:
        return job
    tokens, cost = item.lost * job.reserve_tokens, item.lost * job.reserve_usd
    used = replace(job.used, input_tokens=job.used.input_tokens + tokens, cost_usd=job.used.cost_usd + cost)
    return replace(job, used=used)


def shared(state: State, decision: Decision) -> Decision:
    """The decision; what a child used is noted at the jobs above it, in the same script."""
    changes = decision.changes
    if changes is None or changes.job is None or not is_child(state.job.id):
        return decision
    spends = spent(state.job.used, changes.job.used)
    return replace(decision, changes=replace(changes, spends=spends))
