"""What one invocation keeps while it handles one message; gone with it."""

from collections import deque

from msgspec import Struct

from baton.core.expected import event_of
from baton.core.work_items import ItemKind, WorkItem, item_key_of, kind_of
from baton.dispatch.delivery import Delivered
from baton.dispatch.dispatching import redrive_of
from baton.ports import ClaimResult
from baton.runtime.claims import Claims
from baton.runtime.dispatched import Dispatched
from baton_events.schema import Event, ToolPayload


class Step(Struct, frozen=True):
    """A work item to handle now, claimed under the name `owner`.

    `claim_result`: what the COMMIT that claimed it told of it; None: it is still to be claimed. `event`: then, it comes
    again where that is not possible.
    """

    item_key: str
    job_id: str
    call_id: str
    slot_request: bool
    owner: str
    event: Event | None = None
    claim_result: ClaimResult | None = None


class Run:
    """One delivery of one message, handled under one owner's name."""

    def __init__(self, delivered: Delivered, owner: str, guard_until_ms: int, claims: Claims) -> None:
        event = delivered.event
        call_id = event.payload.call_id if isinstance(event.payload, ToolPayload) else ""
        key = item_key_of(event)
        self.delivered = delivered
        self.owner = owner
        self.guard_until_ms = guard_until_ms
        self.claims = claims
        self.session_id = event.session_id
        self.first = Step(key, event.job_id, call_id, kind_of(key) is ItemKind.SLOT_REQUEST, owner, event)
        self.todo: deque[Step] = deque()
        self.in_progress: set[str] = set()
        self.failure: Exception | None = None
        self.words: list[str] = []
        self.dispatched = Dispatched()
        self.published = 0
        self._done: set[str] = set()
        self._commits = 0

    @property
    def redrive(self) -> str:
        """Which dispatching this is: the queue swallows a second one under the same redrive."""
        return f"{redrive_of(self.delivered.message_id, self.delivered.retried)}.{self.dispatched.rounds}"

    def begin(self, step: Step) -> None:
        """Do it next, or at once with others."""
        self.todo.append(step)
        self.in_progress.add(step.item_key)

    def continue_with(self, claim_result: ClaimResult) -> None:
        """Do what a COMMIT has claimed."""
        assert claim_result.state is not None, "what is claimed comes with its state"
        item = claim_result.state.item
        self.begin(
            Step(
                item.key,
                item.job_id,
                item.call_id,
                item.kind is ItemKind.SLOT_REQUEST,
                item.owner,
                claim_result=claim_result,
            )
        )

    def step_of(self, item: WorkItem) -> Step:
        """A work item that this message carries, to be claimed by a request of its own."""
        event = event_of(self.session_id, item)
        return Step(item.key, item.job_id, item.call_id, item.kind is ItemKind.SLOT_REQUEST, self.owner, event)

    def name_of_claims(self) -> str:
        """The name under which the next COMMIT claims what follows."""
        self._commits += 1
        return f"{self.owner}.{self._commits}"

    def is_seen(self, item: WorkItem, now_ms: int) -> bool:
        """Whether this run has it in hand, or has dispatched it."""
        return item.key in self.in_progress or self.dispatched.has(item, now_ms)

    def excluded(self, step: Step) -> frozenset[str]:
        """What the COMMIT of this step is not to claim: what else is in hand, and what was dispatched before.

        News from the admission bring back what was dispatched.
        """
        excluded = self.in_progress if step.slot_request else self.dispatched.keys() | self.in_progress
        return frozenset(excluded - {step.item_key})

    def leaves(self, step: Step) -> None:
        """Nothing came of it: it stays in the state, to be told again by somebody else."""
        self.in_progress.discard(step.item_key)
        self.dispatched.leave(step.item_key)

    def ends(self, step: Step, *, done: bool) -> bool:
        """It is no longer in hand; whether it was done a second time: a failover has brought it back."""
        self.in_progress.discard(step.item_key)
        again = done and step.item_key in self._done
        if done:
            self._done.add(step.item_key)
            self.dispatched.discard(step.item_key)
        return again
