"""What one invocation keeps while it handles one message; gone with it."""

from collections import deque

from msgspec import Struct

from baton.core.expected import event_of
from baton.core.legs import Leg, LegKind, kind_of, leg_key_of
from baton.dispatch.delivery import Delivered
from baton.dispatch.handing_on import drive_of
from baton.ports import Begun
from baton.runtime.claims import Claims
from baton.runtime.handed_on import HandedOn
from baton_events.schema import Event, ToolPayload


class Step(Struct, frozen=True):
    """A leg to handle now, claimed under the name `owner`.

    `begun`: what the COMMIT that claimed it told of it; None: it is still to be claimed. `event`: then, it comes again
    where that is not possible.
    """

    leg_key: str
    job_id: str
    call_id: str
    wish: bool
    owner: str
    event: Event | None = None
    begun: Begun | None = None


class Run:
    """One delivery of one message, handled under one owner's name."""

    def __init__(self, delivered: Delivered, owner: str, guard_until_ms: int, claims: Claims) -> None:
        event = delivered.event
        call_id = event.payload.call_id if isinstance(event.payload, ToolPayload) else ""
        key = leg_key_of(event)
        self.delivered = delivered
        self.owner = owner
        self.guard_until_ms = guard_until_ms
        self.claims = claims
        self.session_id = event.session_id
        self.first = Step(key, event.job_id, call_id, kind_of(key) is LegKind.WISH, owner, event)
        self.todo: deque[Step] = deque()
        self.in_hand: set[str] = set()
        self.failure: Exception | None = None
        self.words: list[str] = []
        self.handed_on = HandedOn()
        self.published = 0
        self._done: set[str] = set()
        self._commits = 0

    @property
    def drive(self) -> str:
        """Which handing on this is: the queue swallows a second one under the same drive."""
        return f"{drive_of(self.delivered.message_id, self.delivered.retried)}.{self.handed_on.rounds}"

    def begin(self, step: Step) -> None:
        """Do it next, or at once with others."""
        self.todo.append(step)
        self.in_hand.add(step.leg_key)

    def go_on(self, begun: Begun) -> None:
        """Do what a COMMIT has claimed."""
        assert begun.state is not None, "what is claimed comes with its state"
        leg = begun.state.leg
        self.begin(Step(leg.key, leg.job_id, leg.call_id, leg.kind is LegKind.WISH, leg.owner, begun=begun))

    def step_of(self, leg: Leg) -> Step:
        """A leg that this message carries, to be claimed by a request of its own."""
        event = event_of(self.session_id, leg)
        return Step(leg.key, leg.job_id, leg.call_id, leg.kind is LegKind.WISH, self.owner, event)

    def name_of_claims(self) -> str:
        """The name under which the next COMMIT claims what follows."""
        self._commits += 1
        return f"{self.owner}.{self._commits}"

    def is_seen(self, leg: Leg, now_ms: int) -> bool:
        """Whether this run has it in hand, or has handed it on."""
        return leg.key in self.in_hand or self.handed_on.has(leg, now_ms)

    def untouchable(self, step: Step) -> frozenset[str]:
        """What the COMMIT of this step is not to claim: what else is in hand, and what was handed on before.

        News from the admission bring back what was handed on.
        """
        hands_off = self.in_hand if step.wish else self.handed_on.keys() | self.in_hand
        return frozenset(hands_off - {step.leg_key})

    def leaves(self, step: Step) -> None:
        """Nothing came of it: it stays in the state, to be told again by somebody else."""
        self.in_hand.discard(step.leg_key)
        self.handed_on.leave(step.leg_key)

    def ends(self, step: Step, *, done: bool) -> bool:
        """It is no longer in hand; whether it was done a second time: a failover has brought it back."""
        self.in_hand.discard(step.leg_key)
        again = done and step.leg_key in self._done
        if done:
            self._done.add(step.leg_key)
            self.handed_on.discard(step.leg_key)
        return again
