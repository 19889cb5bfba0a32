"""Defects of the shell and of the pure core: order of steps, dispatching, retries, limits, admission."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from baton.engine import lifecycle
from baton.engine import tool_call as calls
from baton.engine import turn as turns
from baton.engine.commit.answers import Claim, Committed, Reconciled
from baton.engine.commit.draft import Draft
from baton.engine.effects import Changes
from baton.engine.work_items import ItemKind, WorkItem, following, loop_item
from baton.queue import dispatch
from baton.queue.dispatch import Outcome
from baton.sdk.tools.context import ToolContext
from baton.store.redis.store import Store
from baton.testing.virtual_loop import Crashed
from baton.worker import container
from baton.worker.commands import after_failover, backup
from baton.worker.commands import submit as submission
from baton.worker.commands.commands import Commands
from baton.worker.executors import tool_run
from baton.worker.recovery import redelivery, sweep
from baton.worker.runtime import invocation, pipeline
from baton_events.emitter import Delivery
from baton_events.errors import StoreError
from tests.simulation.planting import around, constant, defects, idle, in_script, replaced

_Call = Callable[..., Any]


async def _refuse(*_arguments: Any) -> None:
    raise StoreError("busy")


class _PublishingFirst:
    """A store whose COMMIT comes after what follows from it has been published."""

    def __init__(self, shell: pipeline.Pipeline, session_id: str) -> None:
        self._store, self._emitter, self._session_id = shell._store, shell._emitter, session_id

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, claim: Claim, changes: Changes, *rest: Any) -> Committed:
        items = [*changes.items, *([changes.join.item] if changes.join else [])]
        await dispatch.dispatch(self._emitter, self._session_id, items, claim.message_id)
        committed = await self._store.commit(claim, changes, *rest)
        published = {item.key for item in items}
        return replace(committed, pending=tuple(item for item in committed.pending if item.key not in published))


async def _publishing_first(do: _Call, self: pipeline.Pipeline, of: invocation.Invocation, *rest: Any) -> Any:
    store = self._store
    publishing: Any = _PublishingFirst(self, of.session_id)
    try:
        self._store = publishing
        return await do(self, of, *rest)
    finally:
        self._store = store


async def _surviving(handle: _Call, self: pipeline.Pipeline, delivered: Any) -> Any:
    try:
        return await handle(self, delivered)
    except Crashed:
        return Outcome("survived")


def _same_attempt(
    item: WorkItem, kind: ItemKind, now_ms: int, *, attempt: int | None = None, not_before_ms: int = 0
) -> WorkItem:
    number = item.attempt if kind is ItemKind.CALL else attempt
    return following(item, kind, now_ms, attempt=number, not_before_ms=not_before_ms)


def _first_attempt(job_id: str, turn: int, _attempt: int, now_ms: int, not_before_ms: int = 0) -> WorkItem:
    return loop_item(job_id, turn, 1, now_ms, not_before_ms)


def _key_of_attempt(**named: Any) -> ToolContext:
    return ToolContext(**{**named, "idempotency_key": f"{named['call_id']}-{named['attempt']}"})


def _other_arguments(started: _Call, state: Any, *rest: Any) -> Any:
    record = state.the_call
    return started(replace(state, call=replace(record, arguments={**record.arguments, "nonce": 99})), *rest)


def _never_gone(settle: Callable[..., None], self: Draft, job_id: str, *arguments: Any) -> None:
    if not self.jobs[job_id].ended:
        settle(self, job_id, *arguments)


async def _not_taken_in(receive: _Call, self: Commands, event: Any, *rest: Any) -> Any:
    return () if getattr(event.payload, "command", None) else await receive(self, event, *rest)


class _Blind:
    """A store that finds nothing when it looks."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def reconcile(self, *_arguments: Any, **_named: Any) -> Reconciled:
        return Reconciled(known=True)


def _always_epoch_0(first_slot_state: _Call, *arguments: Any, **named: Any) -> Any:
    return replace(first_slot_state(*arguments, **named), epoch=0)


async def _only_once(handle: _Call, self: sweep.Sweep, *arguments: Any, again: bool, **named: Any) -> Any:
    return Outcome("swept before") if again else await handle(self, *arguments, again=again, **named)


DEFECTS = (
    *defects(
        0,
        every_item_is_guaranteed={
            "a deduplication id without a replay": replaced(
                dispatch,
                "delivery",
                lambda event, not_before_ms, _replay, lane: Delivery(event, not_before_ms, event.id, lane),
            ),
            "a busy item is acknowledged without postponing": idle(pipeline, "postpone"),
            "what follows is published before COMMIT": around(pipeline.Pipeline, "_do", _publishing_first),
            "nothing is dispatched": idle(pipeline, "dispatch", 0),
            "a backup is not taken in": around(Commands, "receive", _not_taken_in),
            "a failure callback is ignored": idle(redelivery.Redelivery, "handle", Outcome("ignored")),
            "a slot is told once only": in_script(
                (
                    "told[#told + 1], told[#told + 2] = name",
                    "if plan.everybody or changed['member:' .. name] then told[#told + 1], told[#told + 2] = name",
                ),
                ("cjson.encode(member(name))\n", "cjson.encode(member(name)) end\n"),
            ),
            "a later word has the epoch of an earlier one": (
                around(lifecycle, "first_slot_state", _always_epoch_0),
                around(submission, "first_slot_state", _always_epoch_0),
            ),
            "work that found no slot is not dispatched again": constant(invocation.Dispatched, "begin_anew", None),
            "a redelivered sweep dispatches nothing": around(sweep.Sweep, "handle", _only_once),
        },
        what_is_refused_met_a_fault={"a busy item is refused with 503": replaced(pipeline, "postpone", _refuse)},
        only_who_died_is_taken_over={"a claim is not prolonged while its work goes on": idle(Store, "renew", ())},
        a_crash_ends_an_invocation={"a crash is survived": around(pipeline.Pipeline, "handle", _surviving)},
        an_accepted_job_exists={"no backup is published": idle(backup.Backup, "_send", "msg_none")},
        work_begins_with_a_slot={
            "a backup does not look at its job": around(
                after_failover.AfterFailover,
                "__init__",
                lambda init, self, store, *rest: init(self, _Blind(store), *rest),
            )
        },
        undeliverable_only_with_the_budget_spent={
            "one failed delivery fails the job": replaced(lifecycle, "UNDELIVERED_BUDGET", 0)
        },
        an_attempt_is_the_next_one={"a tool's retry is not counted": replaced(calls, "following", _same_attempt)},
        an_item_is_committed_once={"a model's retry is not counted": replaced(turns, "loop_item", _first_attempt)},
        one_idempotency_key_per_call={
            "each attempt has an idempotency key of its own": replaced(tool_run, "ToolContext", _key_of_attempt)
        },
        what_runs_is_what_is_recorded={"a tool runs with other arguments": around(calls, "started", _other_arguments)},
        limits_hold={"limits are not checked": constant(turns, "exhausted_limit", None)},
        a_chain_ends_before_the_queue_gives_up={"a chain in place has no end": constant(container, "guard_ms", 10**9)},
        every_job_ends={"a job that ended keeps its slot": around(Draft, "settle", _never_gone)},
    ),
)
