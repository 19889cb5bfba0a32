"""Defects of the shell and of the pure core: order of steps, dispatching, retries, limits, admission."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from baton import container
from baton.commands import after_failover, backup
from baton.commands import submit as submission
from baton.commands.commands import Commands
from baton.engine import lifecycle
from baton.engine import tool_call as calls
from baton.engine import turn as turns
from baton.engine.all_jobs import slots as admission
from baton.engine.commit.answers import Claim, Committed, Reconciled
from baton.engine.effects import Changes
from baton.engine.work_items import ItemKind, WorkItem, following, loop_item
from baton.executors import tool_run
from baton.queue import dispatch
from baton.queue.dispatch import Outcome
from baton.recovery import reconciler, redelivery
from baton.runtime import invocation, pipeline
from baton.storage.redis.store import TreeStore
from baton.testing.virtual_loop import Crashed
from baton.tools.context import ToolContext
from baton_events.emitter import Delivery
from baton_events.errors import StoreError
from tests.fakes import Tree
from tests.simulation.planting import Defect, Patch, constant, idle, replaced


def _without_redrive(_original: Any) -> Any:
    return lambda event, not_before_ms, _redrive: Delivery(event, not_before_ms, event.id)


async def _refuse(*_arguments: Any) -> None:
    raise StoreError("busy")


class _PublishingFirst:
    """A store whose COMMIT comes after what follows from it has been published."""

    def __init__(self, shell: pipeline.Pipeline, session_id: str) -> None:
        self._store, self._emitter, self._session_id = shell._store, shell._emitter, session_id

    def __getattr__(self, name: str) -> Any:
        """Another message may be handled meanwhile."""
        return getattr(self._store, name)

    async def commit(self, claim: Claim, changes: Changes, *rest: Any) -> Committed:
        items = [*changes.items, *([changes.join.item] if changes.join else [])]
        await dispatch.dispatch(self._emitter, self._session_id, items, claim.message_id)
        committed = await self._store.commit(claim, changes, *rest)
        published = {item.key for item in items}
        return replace(committed, pending=tuple(item for item in committed.pending if item.key not in published))


def _publishing_first(do: Callable[..., Any]) -> Callable[..., Any]:
    async def publishing_first(self: pipeline.Pipeline, of: invocation.Invocation, *rest: Any) -> Any:
        store = self._store
        publishing: Any = _PublishingFirst(self, of.session_id)
        try:
            self._store = publishing
            return await do(self, of, *rest)
        finally:
            self._store = store

    return publishing_first


def _surviving(handle: Callable[..., Any]) -> Callable[..., Any]:
    async def surviving(self: pipeline.Pipeline, delivered: Any) -> Outcome:
        try:
            outcome: Outcome = await handle(self, delivered)
        except Crashed:
            return Outcome("survived")
        return outcome

    return surviving


def _same_attempt(
    item: WorkItem, kind: ItemKind, now_ms: int, *, attempt: int | None = None, not_before_ms: int = 0
) -> WorkItem:
    number = item.attempt if kind is ItemKind.CALL else attempt
    return following(item, kind, now_ms, attempt=number, not_before_ms=not_before_ms)


def _first_attempt(job_id: str, turn: int, _attempt: int, now_ms: int, not_before_ms: int = 0) -> WorkItem:
    return loop_item(job_id, turn, 1, now_ms, not_before_ms)


def _key_of_attempt(**named: Any) -> ToolContext:
    return ToolContext(**{**named, "idempotency_key": f"{named['call_id']}-{named['attempt']}"})


def _other_arguments(started: Callable[..., Any]) -> Callable[..., Any]:
    def other(state: Any, *rest: Any) -> Any:
        record = state.the_call
        return started(replace(state, call=replace(record, arguments={**record.arguments, "nonce": 99})), *rest)

    return other


def _any_epoch(take: Callable[..., Any]) -> Callable[..., Any]:
    def anything(slot_table: Any, job_id: str, slot_state: Any, *rest: Any, **named: Any) -> Any:
        older = {name: replace(entry, epoch=-1) if name == job_id else entry for name, entry in slot_table.items()}
        return take(older, job_id, slot_state, *rest, **named)

    return anything


def _notified_once(take: Callable[..., Any]) -> Callable[..., Any]:
    def once(slot_table: Any, *rest: Any, **named: Any) -> Any:
        taken = take(slot_table, *rest, **named)
        new = tuple(name for name in taken.granted if name not in slot_table or not slot_table[name].slot)
        return replace(taken, granted=new)

    return once


def _one_slot_more(fill: Callable[..., Any]) -> Callable[..., Any]:
    return lambda entries, cause, slots, *rest: fill(entries, cause, slots + 1, *rest)


def _no_lines(_original: Any) -> Any:
    return lambda entries: {name: name for name, entry in entries.items() if entry.want == "slot"}


def _never_gone(settled: Callable[..., Any]) -> Callable[..., Any]:
    def silent(self: Tree, job_id: str, *arguments: Any) -> Tree:
        after: Tree = self if self.jobs[job_id].ended else settled(self, job_id, *arguments)
        return after

    return silent


def _patches_of_take(make: Callable[..., Any]) -> tuple[Patch, ...]:
    from baton.storage.in_memory import admission as fake  # noqa: PLC0415 - the module, whose name is the core's, too

    return (Patch(fake, "take", make),)


def _not_taken_in(receive: Callable[..., Any]) -> Callable[..., Any]:
    async def not_taken_in(self: Commands, event: Any, *rest: Any) -> Any:
        return () if getattr(event.payload, "command", None) else await receive(self, event, *rest)

    return not_taken_in


class _Blind:
    """A store that finds nothing when it looks."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def reconcile(self, *_arguments: Any, **_named: Any) -> Reconciled:
        return Reconciled(known=True)


def _looking_at_nothing(init: Callable[..., None]) -> Callable[..., None]:
    return lambda self, store, *rest: init(self, _Blind(store), *rest)


def _always_epoch_0(first_slot_state: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments, **named: replace(first_slot_state(*arguments, **named), epoch=0)


def _only_once(handle: Callable[..., Any]) -> Callable[..., Any]:
    async def once(self: reconciler.Reconciler, *arguments: Any, again: bool, **named: Any) -> Outcome:
        if again:
            return Outcome("swept before")
        outcome: Outcome = await handle(self, *arguments, again=again, **named)
        return outcome

    return once


DEFECTS = (
    Defect(
        "a deduplication id without a redrive",
        "every_item_is_guaranteed",
        (Patch(dispatch, "delivery", _without_redrive),),
    ),
    Defect("a busy item is acknowledged without postponing", "every_item_is_guaranteed", (idle(pipeline, "postpone"),)),
    Defect(
        "a busy item is refused with 503", "what_is_refused_met_a_fault", (replaced(pipeline, "postpone", _refuse),)
    ),
    Defect(
        "a claim is not prolonged while its work goes on",
        "only_who_died_is_taken_over",
        (idle(TreeStore, "renew", ()),),
    ),
    Defect(
        "what follows is published before COMMIT",
        "every_item_is_guaranteed",
        (Patch(pipeline.Pipeline, "_do", _publishing_first),),
    ),
    Defect("nothing is dispatched", "every_item_is_guaranteed", (idle(pipeline, "dispatch", 0),)),
    Defect("a crash is survived", "a_crash_ends_an_invocation", (Patch(pipeline.Pipeline, "handle", _surviving),)),
    Defect("no backup is published", "an_accepted_job_exists", (idle(backup.Backup, "_send", "msg_none"),)),
    Defect(
        "a backup does not look at its job",
        "work_begins_with_a_slot",
        (Patch(after_failover.AfterFailover, "__init__", _looking_at_nothing),),
    ),
    Defect("a backup is not taken in", "every_item_is_guaranteed", (Patch(Commands, "receive", _not_taken_in),)),
    Defect(
        "a failure callback is ignored",
        "every_item_is_guaranteed",
        (idle(redelivery.Redelivery, "handle", Outcome("ignored")),),
    ),
    Defect(
        "one failed delivery fails the job",
        "undeliverable_only_with_the_budget_spent",
        (replaced(lifecycle, "UNDELIVERED_BUDGET", 0),),
    ),
    Defect(
        "a tool's retry is not counted", "an_attempt_is_the_next_one", (replaced(calls, "following", _same_attempt),)
    ),
    Defect(
        "a model's retry is not counted", "an_item_is_committed_once", (replaced(turns, "loop_item", _first_attempt),)
    ),
    Defect(
        "each attempt has an idempotency key of its own",
        "one_idempotency_key_per_call",
        (replaced(tool_run, "ToolContext", _key_of_attempt),),
    ),
    Defect(
        "a tool runs with other arguments",
        "what_runs_is_what_is_recorded",
        (Patch(calls, "started", _other_arguments),),
    ),
    Defect("limits are not checked", "limits_hold", (constant(turns, "exhausted_limit", None),)),
    Defect("a request with a lower epoch is obeyed", "a_later_update_stays", _patches_of_take(_any_epoch)),
    Defect("a slot is told once only", "every_item_is_guaranteed", _patches_of_take(_notified_once)),
    Defect("there is one slot too many", "slots_are_not_exceeded", (Patch(admission, "fill", _one_slot_more),)),
    Defect(
        "two jobs of a session run at once", "one_job_of_a_session_at_a_time", (Patch(admission, "lines", _no_lines),)
    ),
    Defect(
        "a later word has the epoch of an earlier one",
        "every_item_is_guaranteed",
        (
            Patch(lifecycle, "first_slot_state", _always_epoch_0),
            Patch(submission, "first_slot_state", _always_epoch_0),
        ),
    ),
    Defect(
        "work that found no slot is not dispatched again",
        "every_item_is_guaranteed",
        (constant(invocation.Dispatched, "begin_anew", None),),
        plans=True,
    ),
    Defect(
        "a chain in place has no end",
        "a_chain_ends_before_the_queue_gives_up",
        (constant(container, "guard_ms", 10**9),),
    ),
    Defect(
        "a redelivered sweep dispatches nothing",
        "every_item_is_guaranteed",
        (Patch(reconciler.Reconciler, "handle", _only_once),),
    ),
    Defect("a job that ended keeps its slot", "every_job_ends", (Patch(Tree, "settled", _never_gone),)),
)
