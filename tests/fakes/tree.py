"""What the fake store keeps under one hash tag: a job, its children, and all that belongs to them.

Invariant: a Tree never changes; a write makes a new one. So an older version is a reference, and a failover that
forgets the last writes costs nothing to model.
"""

from dataclasses import dataclass, field

from events.core.legs import Leg
from events.core.state import CallRecord, Job, Usage


@dataclass(frozen=True, slots=True)
class Tree:
    """One tag's data. `expires_ms`: when it goes, once the root has ended; 0: never."""

    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    usage: dict[str, Usage] = field(default_factory=dict[str, Usage])
    legs: dict[str, Leg] = field(default_factory=dict[str, Leg])
    calls: dict[str, dict[str, CallRecord]] = field(default_factory=dict[str, dict[str, CallRecord]])
    results: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    transcript: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    expires_ms: int = 0

    def carried(self, message_id: str, but: str = "") -> tuple[Leg, ...]:
        """The legs that a message still carries, in the order of their keys."""
        legs = sorted(self.legs.values(), key=lambda leg: f"leg:{leg.key}")
        return tuple(leg for leg in legs if leg.carrier == message_id and leg.key != but)
