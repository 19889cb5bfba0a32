"""The data of one invocation while it handles one message, with the items that it has dispatched; gone with it.

Each item is dispatched once, but for updates from the admission, or after a failover.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from baton.engine.commit.answers import Claim, ClaimResult, Committed
from baton.engine.outbox import event_of
from baton.engine.state import State
from baton.engine.work_items import CLOCK_ERROR_MS, WORK_KINDS, ItemKind, WorkItem, item_key_of, kind_of
from baton.queue.dispatch import Delivered, replay_of
from baton.sdk.records.transcript import HttpResponse
from baton.worker.runtime.claims import Claims, Holding
from baton.worker.runtime.policy import LEASE_MS, RENEW_SECONDS
from baton_events.schema import AgentLoopInit, Event, ToolPayload


class RunningSteps:
    """The steps that an invocation works on at the same time. `tasks`: those that are not over."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self._over: list[asyncio.Task[None]] = []
        self._one_is_over = asyncio.Event()

    def begin(self, step: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(step)
        self.tasks.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self._over.append(task)
        self._one_is_over.set()

    async def one_over(self) -> None:
        """Wait until one of them is over, at least. Raises what it raised."""
        await self._one_is_over.wait()
        self._one_is_over.clear()
        over, self._over = self._over, []
        for task in over:
            task.result()

    async def cancelled(self) -> None:
        """Cancel those that are not over, and wait until they are."""
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.gather(*self.tasks, return_exceptions=True)


class Dispatched:
    """The items that one delivery has published, or left open. `rounds`: how often it began anew."""

    def __init__(self) -> None:
        self.rounds = 0
        self._keys: set[str] = set()
        self._later: dict[str, int] = {}

    def keys(self) -> frozenset[str]:
        """Return the keys of these work items."""
        return frozenset(self._keys)

    def has(self, item: WorkItem, now_ms: int) -> bool:
        return item.key in self._keys or self.is_under_way(item, now_ms)

    def is_under_way(self, item: WorkItem, now_ms: int) -> bool:
        """Return whether it is published for a time that has not come yet, whatever the admission's updates are."""
        return self._later.get(item.key, 0) == item.free_at_ms() > now_ms + CLOCK_ERROR_MS

    def add(self, item: WorkItem) -> None:
        self._keys.add(item.key)
        self._later[item.key] = item.free_at_ms()

    def leave_open(self, item_key: str) -> None:
        """Note that this item stays in the state, for another invocation to dispatch."""
        self._keys.add(item_key)

    def discard(self, item_key: str) -> None:
        """Note that this item is done: where a failover brings it back, it is dispatched again."""
        self._keys.discard(item_key)

    def begin_anew(self) -> None:
        """Dispatch earlier items again, after a slot was given or a failover forgot something.

        Not for a slot request that must wait: two of them would bring each other back without end.
        """
        self.rounds += 1
        self._keys.clear()


class InvocationItem(Struct, frozen=True):
    """A work item to handle now, claimed under the name `owner`.

    `claim_result`: the result of the COMMIT that claimed it; None: it has yet to be claimed. `event`: published again
    where it cannot be claimed. `answer`: the model's answer that it is claimed for.
    """

    item_key: str
    job_id: str
    call_id: str
    slot_request: bool
    owner: str
    event: Event | None = None
    claim_result: ClaimResult | None = None
    answer: HttpResponse | None = None


class HeldJob(Holding):
    """The one work item of a job that a step works on, with its claim; it goes on with what follows from it alone."""

    __slots__ = ("claim_result", "state", "step")

    def __init__(self, claims: Claims, step: InvocationItem, claim: Claim, claim_result: ClaimResult) -> None:
        assert claim_result.state is not None, "a granted CLAIM comes with a state"
        self.step, self.claim_result, self.state = step, claim_result, claim_result.state
        super().__init__(claims, claim, self.state.item.kind)

    def go_on(self, step: InvocationItem, claim: Claim, claim_result: ClaimResult, state: State) -> None:
        """Go on with the work item that the COMMIT of this one has claimed."""
        self.move(claim)
        self.step, self.claim_result, self.state = step, claim_result, state


class Invocation:
    """One delivery of one message, handled under one owner's name."""

    def __init__(self, delivered: Delivered, owner: str, guard_until_ms: int, claims: Claims) -> None:
        event = delivered.event
        # The first delivery counts the message, with the usage that its sender could not count; no copy does so again.
        self.counts = {"messages": 1} if delivered.retried == 0 else {}
        if isinstance(event, AgentLoopInit) and event.payload.spent:
            self.counts |= asdict(event.payload.spent) if self.counts else {}
            event = event.with_spent(None)
        call_id = event.payload.call_id if isinstance(event.payload, ToolPayload) else ""
        key = item_key_of(event)
        self.delivered, self.owner, self.guard_until_ms = delivered, owner, guard_until_ms
        self.claims = claims
        self.session_id = event.session_id
        asks = kind_of(key) is ItemKind.SLOT_REQUEST
        self.first = InvocationItem(key, event.job_id, call_id, asks, owner, event, answer=delivered.answer)
        self.todo: deque[InvocationItem] = deque()
        self.in_progress: set[str] = set()
        self.failure: Exception | None = None
        self.outcomes: list[str] = []
        self.dispatched = Dispatched()
        self.published = 0
        self._done: set[str] = set()
        self._commits = 0

    @property
    def replay_id(self) -> str:
        """The id of this dispatching: the queue drops a second message of the same replay."""
        return f"{replay_of(self.delivered.message_id, self.delivered.retried)}.{self.dispatched.rounds}"

    def begin(self, step: InvocationItem) -> None:
        """Work on this item next, or at once with others."""
        self.todo.append(step)
        self.in_progress.add(step.item_key)

    def goes_on(self, held: HeldJob, committed: Committed, now_ms: int, *, alone: bool) -> bool:
        """End a step's claim; go on with the one piece of work that follows, if that is all. Return whether it is.

        `alone`: nothing else is to be done after its COMMIT. If that was slow, another invocation may have taken over.
        """
        step, following = held.step, committed.claimed
        alone = alone and committed.applied and not (committed.pending or self.todo or step.slot_request)
        if alone and len(following) == 1 == len(self.in_progress) and step.item_key not in self._done:
            state = following[0].state
            assert state is not None, "what is claimed comes with its state"
            item = state.item
            if item.kind in WORK_KINDS and not item.deaths and now_ms - item.claimed_ms <= 1000 * RENEW_SECONDS:
                self.in_progress = {item.key}
                self._done.add(step.item_key)
                self.dispatched.discard(step.item_key)
                step = claimed_step(following[0])
                held.go_on(step, self.claim_of(step, item.claimed_ms), following[0], state)
                return True
        self.claims.done(held.claim)
        return False

    def step_of(self, item: WorkItem) -> InvocationItem:
        """Return the step of a work item that is pending for this message, to be claimed by a request of its own."""
        event = event_of(self.session_id, item)
        return InvocationItem(
            item.key, item.job_id, item.call_id, item.kind is ItemKind.SLOT_REQUEST, self.owner, event
        )

    def claim_of(self, step: InvocationItem, now_ms: int) -> Claim:
        return Claim(
            job_id=step.job_id,
            item_key=step.item_key,
            message_id=self.delivered.message_id,
            owner=step.owner,
            now_ms=now_ms,
            lease_until_ms=now_ms + LEASE_MS,
            call_id=step.call_id,
            answer=step.answer,
        )

    def name_of_claims(self) -> str:
        """Return the name under which the next COMMIT claims items."""
        self._commits += 1
        return f"{self.owner}.{self._commits}"

    def is_seen(self, item: WorkItem, now_ms: int) -> bool:
        """Return whether the item is in progress in this invocation, or was dispatched by it."""
        return item.key in self.in_progress or self.dispatched.has(item, now_ms)

    def excluded(self, step: InvocationItem) -> frozenset[str]:
        """Return the items that this step's COMMIT must not claim: others in progress, and those dispatched before.

        An update from the admission brings back items that were dispatched.
        """
        excluded = self.in_progress if step.slot_request else self.dispatched.keys() | self.in_progress
        return frozenset(excluded - {step.item_key})

    def leaves(self, step: InvocationItem) -> None:
        """Leave the item in the state, for another invocation to dispatch."""
        self.in_progress.discard(step.item_key)
        self.dispatched.leave_open(step.item_key)

    def ends(self, step: InvocationItem, *, done: bool) -> bool:
        """End the item's progress; return whether it was done a second time, since a failover had brought it back."""
        self.in_progress.discard(step.item_key)
        again = done and step.item_key in self._done
        if done:
            self._done.add(step.item_key)
            self.dispatched.discard(step.item_key)
        return again


def claimed_step(claim_result: ClaimResult) -> InvocationItem:
    """Return the step of a work item that a COMMIT has claimed."""
    assert claim_result.state is not None, "what is claimed comes with its state"
    item = claim_result.state.item
    asks = item.kind is ItemKind.SLOT_REQUEST
    return InvocationItem(item.key, item.job_id, item.call_id, asks, item.owner, claim_result=claim_result)
