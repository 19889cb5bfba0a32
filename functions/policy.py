"""How a function works: the limit of one piece of work, and what it may go on with in place, for how long."""

from dataclasses import dataclass, field
from functools import cache

from events.core.legs import LegKind
from functions.stopping import Stopping

# A lease outlives the work by this much, so that a late COMMIT still finds its claim.
LEASE_MARGIN_MS = 10_000
# Before a COMMIT is repeated which the store has failed: together less than that, so that it still finds its claim.
PAUSES_SECONDS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
# The same for a BEGIN: where only its answer was lost, nobody else gets the leg before the lease is over.
BEGIN_PAUSES_SECONDS = PAUSES_SECONDS[:4]
# Several calls of a turn run at once in one invocation; what is over is published, so that others take part.
AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of one function.

    Attributes:
        inline: whether it goes on in place, or publishes what follows.
        continues: kinds of legs that it is able to go on with.
        guard_ms: for how long an invocation begins another piece of work.
        at_once: how many legs an invocation works on at the same time.
        stopping: once its process is about to stop, nothing more is begun in place.
    """

    work_limit_ms: int
    inline: bool = False
    continues: frozenset[LegKind] = frozenset()
    guard_ms: int = 120_000
    at_once: int = AT_ONCE
    stopping: Stopping = field(default_factory=Stopping)

    def kinds(self, *, crosses: bool) -> frozenset[LegKind]:
        """The kinds of legs to go on with.

        What goes to the admission or comes from it (`crosses`) continues in place in both modes: it needs no hop.
        """
        return _with_wishes(self.continues if self.inline or crosses else frozenset[LegKind]())


@cache
def _with_wishes(kinds: frozenset[LegKind]) -> frozenset[LegKind]:
    return kinds | {LegKind.WISH}
