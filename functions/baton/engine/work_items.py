"""A work item: one step of a job that must still happen. The open work items of a state are its outbox.

Invariant: a work item's key follows from what it does, so the same step never stands in a state twice.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from baton_events.schema import Event, EventType, ToolPayload, event_type


class ItemKind(StrEnum):
    """The kind of a work item: the step that it waits for. Each kind has one event type."""

    LOOP = "loop"
    CALL = "call"
    COMPLETE = "complete"
    FAILED = "failed"
    WAIT = "wait"
    SLOT_REQUEST = "slot_request"
    REMEMBER = "remember"
    NOTIFY = "notify"
    RELEASE = "release"


# Model turns and tool runs need a slot; taking in results, waits, and slot requests do not ("gate").
WORK_KINDS = frozenset({ItemKind.LOOP, ItemKind.CALL})
# Kinds that outlive the end of their job.
FOLLOW_UPS = frozenset({ItemKind.REMEMBER, ItemKind.NOTIFY, ItemKind.RELEASE})
# In the memo of a release.
WORKSPACE = "workspace"
# Longer than they are repeated: a day, and outages in it. They need the data of their job.
FOLLOW_UP_MS = 2 * 86_400_000

EVENT_OF_KIND = {
    ItemKind.LOOP: EventType.LOOP_INIT,
    ItemKind.SLOT_REQUEST: EventType.LOOP_INIT,
    ItemKind.REMEMBER: EventType.LOOP_INIT,
    ItemKind.NOTIFY: EventType.LOOP_INIT,
    ItemKind.RELEASE: EventType.LOOP_INIT,
    ItemKind.CALL: EventType.TOOL_CALL,
    ItemKind.COMPLETE: EventType.TOOL_COMPLETE,
    ItemKind.FAILED: EventType.TOOL_FAILED,
    ItemKind.WAIT: EventType.TOOL_COMPLETE,
}
_KINDS = {kind.value: kind for kind in ItemKind}
_TOOL_KIND = {
    EventType.TOOL_CALL: ItemKind.CALL,
    EventType.TOOL_COMPLETE: ItemKind.COMPLETE,
    EventType.TOOL_FAILED: ItemKind.FAILED,
}


class WorkItem(Struct, frozen=True, omit_defaults=True):
    """One open step.

    Attributes:
        key: `loop:JOB:TURN:ATTEMPT`, `call|complete|failed|wait:CALL_ID:ATTEMPT`, `slot_request:JOB:EPOCH`, or
            `remember:JOB:ATTEMPT` and `notify|release:JOB:RUN:ATTEMPT`, which are left when the job has ended.
        want: of a slot request: `slot`, `none` or `gone`; its request epoch is its attempt.
        group: work items whose end starts a join together (the tool calls of a turn); empty: none.
        after: ids of calls, joined by commas, that must be over before this work item is due; empty: none.
        step: of a plan: the step's name.
        event: of a wait: the name of the event that ends it; empty: the outcome of its call does.
        timeout_result: of a wait: the call's outcome when its time is up, as JSON text.
        approval_of_call: of a wait for a person's decision: the call that it is about, which is not over meanwhile.
        relay_id: id of the message whose missing acknowledgement guarantees this work item.
        owner: the invocation that claimed it, until `lease_until_ms`; empty: none.
        claimed_ms: when it was claimed. since_ms: when it was added or last replayed by a sweep;
            of a call that waits for a limit, when its message comes.
        not_before_ms: earliest time; 0: at once.
        retry_at_ms: of a failed attempt: the earliest time of the next one, as the other side requested; 0: at once.
        undelivered: how often the queue gave up delivering its event; `counted`: the callbacks that were counted.
        replayed: how often it was replayed since its endpoint had no capacity.
        appended: how many times parts were appended in mid-work under this claim.
        text_id: of a turn: id of the answer's text that this claim has left open in the job's parts; empty: none.
        lost: claims that ended without a result: of a turn, so that the usage of its model calls is unknown; of other
            steps, those that were given back in the middle.
        abandoned: claims that ended with their process, so that another invocation took over (attempts.py).
        died: such claims of earlier attempts of its call.
        limited_by: what its call waits for, such as "limit 'openai'"; empty: nothing, or it has begun. Of a budget that
            is used up: until `not_before_ms`, unless a message comes before.
        isolated: of a call: it runs in an invocation of its own. once: it begins at most once.
        offloaded: of a turn: how many requests of its attempt were offloaded; 0: the model is called here.
            Until `not_before_ms` it waits for the answer. Of a call whose tool's work is done elsewhere: how often it
            was polled; the next poll is at `not_before_ms`.
        memo: of a turn whose provider works in the background: the response to poll. `budget`: what its call has
            reserved, or which limit a person has raised. `workspace`: the handle of what a release is of.
        redelivered: its message has come again while it is claimed, or about to be, and dispatches it. That message
            may be acknowledged before the work item is done, so the items that follow are published, to get relay
            messages of their own.
    """

    key: str
    kind: ItemKind
    job_id: str
    turn: int
    attempt: int
    position: int = 0
    call_id: str = ""
    tool: str = ""
    group: str = ""
    after: str = ""
    step: str = ""
    event: str = ""
    timeout_result: str = ""
    approval_of_call: str = ""
    want: str = ""
    relay_id: str = ""
    owner: str = ""
    claimed_ms: int = 0
    lease_until_ms: int = 0
    not_before_ms: int = 0
    retry_at_ms: int = 0
    since_ms: int = 0
    undelivered: int = 0
    counted: str = ""
    appended: int = 0
    lost: int = 0
    text_id: str = ""
    isolated: bool = False
    once: bool = False
    abandoned: int = 0
    died: int = 0
    redelivered: bool = False
    replayed: int = 0
    limited_by: str = ""
    offloaded: int = 0
    memo: dict[str, Any] = {}
    sealed: str = ""

    def free_at_ms(self, owner: str = "") -> int:
        """Return the time from which `owner` may work on it: after another owner's lease and `not_before_ms`."""
        lease = 0 if owner and owner == self.owner else self.lease_until_ms
        return max(lease, self.not_before_ms)

    @property
    def needs_slot(self) -> bool:
        """Whether it must hold a slot to begin; offloaded work is only polled, without one."""
        return self.kind in WORK_KINDS and not self.offloaded

    @property
    def begun_before(self) -> bool:
        """Whether an earlier attempt or claim has begun it."""
        return self.attempt > 1 or self.lost > 0 or self.deaths > 0

    @property
    def deaths(self) -> int:
        """How often a process died in this step; of a call: in its earlier attempts, too."""
        return self.abandoned + (self.died if self.kind is ItemKind.CALL else 0)


# Clocks of functions, the store and the queue differ by less than this.
CLOCK_ERROR_MS = 5_000


def kind_of(item_key: str) -> ItemKind:
    """Return the kind of the work item that has this key."""
    return _KINDS[item_key.partition(":")[0]]


def loop_key(job_id: str, turn: int, attempt: int) -> str:
    """Return the key of a turn's work item."""
    return f"{ItemKind.LOOP}:{job_id}:{turn}:{attempt}"


def tool_key(kind: ItemKind, call_id: str, attempt: int) -> str:
    """Return the key of a work item of a tool call's attempt."""
    return f"{kind}:{call_id}:{attempt}"


def slot_request_key(job_id: str, epoch: int) -> str:
    return f"{ItemKind.SLOT_REQUEST}:{job_id}:{epoch}"


def slot_request_item(job_id: str, want: str, epoch: int, now_ms: int) -> WorkItem:
    """Return the work item of a job's slot request to the admission."""
    return WorkItem(
        slot_request_key(job_id, epoch), ItemKind.SLOT_REQUEST, job_id, 1, epoch, want=want, since_ms=now_ms
    )


def remember_key(job_id: str, attempt: int) -> str:
    """Return the key of the work item that remembers an ended job."""
    return f"{ItemKind.REMEMBER}:{job_id}:{attempt}"


def remember_item(job_id: str, turn: int, attempt: int, now_ms: int, not_before_ms: int = 0) -> WorkItem:
    key = remember_key(job_id, attempt)
    return WorkItem(key, ItemKind.REMEMBER, job_id, turn, attempt, since_ms=now_ms, not_before_ms=not_before_ms)


def run_key(kind: ItemKind, job_id: str, run: int, attempt: int) -> str:
    """Return the key of the work item that sends out the end of a job's run, or releases its workspace."""
    return f"{kind}:{job_id}:{run}:{attempt}"


def notify_item(job_id: str, run: int, attempt: int, now_ms: int, not_before_ms: int = 0) -> WorkItem:
    """Return the work item that sends out the end of a job's run; its turn is the run."""
    key = run_key(ItemKind.NOTIFY, job_id, run, attempt)
    return WorkItem(key, ItemKind.NOTIFY, job_id, run, attempt, since_ms=now_ms, not_before_ms=not_before_ms)


def release_item(job_id: str, run: int, workspace: str, now_ms: int, not_before_ms: int = 0) -> WorkItem:
    """Return the work item that releases the workspace of a job's run; its turn is the run."""
    key = run_key(ItemKind.RELEASE, job_id, run, 1)
    memo = {WORKSPACE: workspace} if workspace else {}
    return WorkItem(key, ItemKind.RELEASE, job_id, run, 1, since_ms=now_ms, not_before_ms=not_before_ms, memo=memo)


def follow_up_again(item: WorkItem, now_ms: int, not_before_ms: int) -> WorkItem:
    """Return the work item of a follow-up's next attempt."""
    attempt = item.attempt + 1
    if item.kind is ItemKind.REMEMBER:
        return remember_item(item.job_id, item.turn, attempt, now_ms, not_before_ms)
    again = notify_item(item.job_id, item.turn, attempt, now_ms, not_before_ms)
    key = run_key(item.kind, item.job_id, item.turn, attempt)
    return replace(again, key=key, kind=item.kind, memo=item.memo)


def turn_group(job_id: str, turn: int) -> str:
    """Return the group of the work items of a turn's tool calls."""
    return f"{job_id}:{turn}"


def loop_item(job_id: str, turn: int, attempt: int, now_ms: int, not_before_ms: int = 0) -> WorkItem:
    key = loop_key(job_id, turn, attempt)
    return WorkItem(key, ItemKind.LOOP, job_id, turn, attempt, since_ms=now_ms, not_before_ms=not_before_ms)


def following(
    item: WorkItem, kind: ItemKind, now_ms: int, *, attempt: int | None = None, not_before_ms: int = 0
) -> WorkItem:
    """Return the next work item of the same tool call."""
    number = attempt if attempt is not None else item.attempt
    return replace(
        item,
        key=tool_key(kind, item.call_id, number),
        kind=kind,
        attempt=number,
        owner="",
        claimed_ms=0,
        lease_until_ms=0,
        not_before_ms=not_before_ms,
        retry_at_ms=0,
        since_ms=now_ms,
        undelivered=0,
        counted="",
        appended=0,
        abandoned=0,
        died=item.deaths if item.kind is ItemKind.CALL else item.died,
        redelivered=False,
        replayed=0,
        limited_by="",
        offloaded=0,
        lost=0,
    )


def blocked(item: WorkItem, items: Iterable[WorkItem]) -> bool:
    """Return whether a step must wait for an earlier one that still has a work item.

    A step that has begun is never blocked, even where a failover forgot that an earlier step is over.
    """
    if item.kind is not ItemKind.CALL or not item.after:
        return False
    before = set(item.after.split(","))
    return any(other.call_id in before or other.approval_of_call in before for other in items)


def item_key_of(event: Event) -> str:
    """Return the key of the work item that an event belongs to."""
    payload = event.payload
    if isinstance(payload, ToolPayload):
        if payload.wait:
            return tool_key(ItemKind.WAIT, payload.call_id, payload.attempt)
        return tool_key(_TOOL_KIND[event_type(event)], payload.call_id, payload.attempt)
    if payload.slot_request is not None:
        return slot_request_key(event.job_id, payload.slot_request)
    if payload.remember:
        return remember_key(event.job_id, payload.attempt)
    if payload.notify or payload.release:
        kind = ItemKind.NOTIFY if payload.notify else ItemKind.RELEASE
        return run_key(kind, event.job_id, payload.turn, payload.attempt)
    return loop_key(event.job_id, payload.turn, payload.attempt)
