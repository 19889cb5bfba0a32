"""A leg: one step of a job that must still happen. The open legs of a state are its outbox (DESIGN 3).

Invariant: a leg's key follows from what it does, so the same step never stands in a state twice.
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from baton_events.schema import Event, EventType, ToolPayload, event_type


class LegKind(StrEnum):
    """What a leg waits for; each kind is carried by one event type."""

    LOOP = "loop"
    CALL = "call"
    COMPLETE = "complete"
    FAILED = "failed"
    WAIT = "wait"
    WISH = "wish"
    REMEMBER = "remember"


# A wait without an end of its own: nobody publishes its timer. 13 digits, so that Lua writes it as it is.
FOREVER_MS = 9_999_999_999_999

# Model turns and tool runs need a slot; taking in results, waits, and wishes do not ("gate").
WORK_KINDS = frozenset({LegKind.LOOP, LegKind.CALL})

EVENT_OF_KIND = {
    LegKind.LOOP: EventType.LOOP_INIT,
    LegKind.WISH: EventType.LOOP_INIT,
    LegKind.REMEMBER: EventType.LOOP_INIT,
    LegKind.CALL: EventType.TOOL_CALL,
    LegKind.COMPLETE: EventType.TOOL_COMPLETE,
    LegKind.FAILED: EventType.TOOL_FAILED,
    LegKind.WAIT: EventType.TOOL_COMPLETE,
}
_KINDS = {kind.value: kind for kind in LegKind}
_TOOL_KIND = {
    EventType.TOOL_CALL: LegKind.CALL,
    EventType.TOOL_COMPLETE: LegKind.COMPLETE,
    EventType.TOOL_FAILED: LegKind.FAILED,
}


class Leg(Struct, frozen=True):
    """One open step.

    Attributes:
        key: `loop:JOB:TURN:ATTEMPT`, `call|complete|failed|wait:CALL_ID:ATTEMPT`, `wish:JOB:LAP`, or
            `remember:JOB:ATTEMPT`, which is left when the job has ended.
        want: of a wish: `slot`, `none` or `gone`; its lap is its attempt.
        group: legs whose end starts a join together (the tool calls of a turn); empty: none.
        after: call ids, joined by commas, that must be over before this leg is due; empty: none.
        step: of a plan: the step's name.
        event: of a wait: the name of the event that ends it; empty: the outcome of its call does.
        otherwise: of a wait: the call's outcome when its time is up, as JSON text.
        asks_for: of a wait for a person's decision: the call that it is about, which is not over meanwhile.
        carrier: id of the message whose missing acknowledgement guarantees this leg.
        owner: the invocation that claimed it, until `lease_until_ms`; empty: nobody.
        claimed_ms: when it was claimed. since_ms: when it was added or last driven by a sweep.
        not_before_ms: earliest time; 0: at once.
        undelivered: how often the queue gave up delivering its event; `counted`: the callbacks that were counted.
        driven: how often it was driven anew since its endpoint had no place for its message.
        appended: how many times parts were appended in mid-work under this claim.
        text_id: of a turn: the text of the answer that is open in the job's parts, said under this claim; empty: none.
        lost: of a turn: claims of it that ended without a word; what their model calls took, nobody knows.
        abandoned: claims of it that ended with their process, so that somebody else took over (abandoned.py).
        died: such claims of the attempts of its call before this one.
        isolated: of a call: it runs in an invocation of its own.
        handed_on: its message has come again while somebody works on it, or is about to, and hands it on: that message
            may be acknowledged before the leg is done, so what follows is published, to get carriers of its own.
    """

    key: str
    kind: LegKind
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
    otherwise: str = ""
    asks_for: str = ""
    want: str = ""
    carrier: str = ""
    owner: str = ""
    claimed_ms: int = 0
    lease_until_ms: int = 0
    not_before_ms: int = 0
    since_ms: int = 0
    undelivered: int = 0
    counted: str = ""
    appended: int = 0
    lost: int = 0
    text_id: str = ""
    isolated: bool = False
    abandoned: int = 0
    died: int = 0
    handed_on: bool = False
    driven: int = 0

    def free_at_ms(self, owner: str = "") -> int:
        """The time from which `owner` may work on it: its lease's end (unless it is their own) and `not_before`."""
        lease = 0 if owner and owner == self.owner else self.lease_until_ms
        return max(lease, self.not_before_ms)

    @property
    def deaths(self) -> int:
        """How often a process died of this step; of a call's attempt: those before it included."""
        return self.abandoned + (self.died if self.kind is LegKind.CALL else 0)


# Clocks of functions, the store and the queue differ by less than this.
CLOCK_ERROR_MS = 5_000


def given_back_at_ms(now_ms: int) -> int:
    """The end of a lease that is given back: over by any clock."""
    return now_ms - CLOCK_ERROR_MS


def kind_of(leg_key: str) -> LegKind:
    """The kind of the leg that has this key."""
    return _KINDS[leg_key.partition(":")[0]]


def loop_key(job_id: str, turn: int, attempt: int) -> str:
    """The key of a turn's leg."""
    return f"{LegKind.LOOP}:{job_id}:{turn}:{attempt}"


def tool_key(kind: LegKind, call_id: str, attempt: int) -> str:
    """The key of a leg of a tool call's attempt."""
    return f"{kind}:{call_id}:{attempt}"


def wish_key(job_id: str, lap: int) -> str:
    """The key of a job's wish."""
    return f"{LegKind.WISH}:{job_id}:{lap}"


def wish_leg(job_id: str, want: str, lap: int, now_ms: int) -> Leg:
    """The leg of a job's wish to the admission."""
    return Leg(wish_key(job_id, lap), LegKind.WISH, job_id, 1, lap, want=want, since_ms=now_ms)


def remember_key(job_id: str, attempt: int) -> str:
    """The key of the leg that remembers an ended job."""
    return f"{LegKind.REMEMBER}:{job_id}:{attempt}"


def remember_leg(job_id: str, turn: int, attempt: int, now_ms: int, not_before_ms: int = 0) -> Leg:
    """The leg that remembers an ended job."""
    key = remember_key(job_id, attempt)
    return Leg(key, LegKind.REMEMBER, job_id, turn, attempt, since_ms=now_ms, not_before_ms=not_before_ms)


def turn_group(job_id: str, turn: int) -> str:
    """The group of the legs of a turn's tool calls."""
    return f"{job_id}:{turn}"


def loop_leg(job_id: str, turn: int, attempt: int, now_ms: int, not_before_ms: int = 0) -> Leg:
    """The leg of a turn's attempt."""
    key = loop_key(job_id, turn, attempt)
    return Leg(key, LegKind.LOOP, job_id, turn, attempt, since_ms=now_ms, not_before_ms=not_before_ms)


def following(leg: Leg, kind: LegKind, now_ms: int, *, attempt: int | None = None, not_before_ms: int = 0) -> Leg:
    """The next leg of the same tool call."""
    number = attempt if attempt is not None else leg.attempt
    return replace(
        leg,
        key=tool_key(kind, leg.call_id, number),
        kind=kind,
        attempt=number,
        owner="",
        claimed_ms=0,
        lease_until_ms=0,
        not_before_ms=not_before_ms,
        since_ms=now_ms,
        undelivered=0,
        counted="",
        appended=0,
        abandoned=0,
        died=leg.deaths if leg.kind is LegKind.CALL else leg.died,
        handed_on=False,
        driven=0,
    )


def blocked(leg: Leg, legs: Iterable[Leg]) -> bool:
    """Whether a step must wait for another one that is not over: that one has a leg.

    What has begun waits for none, also where a failover forgot that a step before it is over.
    """
    before = set(leg.after.split(",")) if leg.kind is LegKind.CALL and leg.after else set[str]()
    return bool(before) and any(other.call_id in before or other.asks_for in before for other in legs)


def leg_key_of(event: Event) -> str:
    """The key of the leg that this event is the event of."""
    payload = event.payload
    if isinstance(payload, ToolPayload):
        if payload.wait:
            return tool_key(LegKind.WAIT, payload.call_id, payload.attempt)
        return tool_key(_TOOL_KIND[event_type(event)], payload.call_id, payload.attempt)
    if payload.wish is not None:
        return wish_key(event.job_id, payload.wish)
    if payload.remember:
        return remember_key(event.job_id, payload.attempt)
    return loop_key(event.job_id, payload.turn, payload.attempt)
