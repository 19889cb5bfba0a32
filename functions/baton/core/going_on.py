"""Going on in place: which legs a COMMIT claims for the invocation that makes it (DESIGN 3, "Continue in place").

Invariant: what is claimed so is what the same invocation would get by a BEGIN at once; the claim needs no request of
its own.
"""

from collections.abc import Container, Mapping

from msgspec import Struct

from baton.core.legs import Leg, LegKind
from baton.core.state import Job


class GoOn(Struct, frozen=True):
    """What an invocation has room for.

    Attributes:
        owner: the name under which this COMMIT claims; another COMMIT of the same invocation has another one, so each
            leg is told to one of them. What was claimed under it is told again to a COMMIT that is repeated.
        leases_ms: the kinds of legs that it can go on with, and for how long from now it holds one of each; but a wish
            is held by nobody.
        at_most: so many legs, in the order of their keys.
        but: keys of legs that it has taken in hand already, or handed on.
    """

    owner: str
    leases_ms: Mapping[LegKind, int]
    at_most: int
    but: frozenset[str] = frozenset()


def of_one_invocation(owner: str, other: str) -> bool:
    """Whether both are names of the same invocation: what stands before the dot."""
    return owner.partition(".")[0] == other.partition(".")[0]


def is_released(leg: Leg, owner: str) -> bool:
    """Whether who commits this leg, under this name, goes on with nothing: its message may be over before that is."""
    return leg.handed_on or not of_one_invocation(leg.owner, owner)


def may_go_on(job: Job, leg: Leg, kinds: Container[LegKind]) -> bool:
    """Whether a leg of this job may be worked on by who works on another one of it: nobody wants it kept apart."""
    if leg.kind is LegKind.WISH or leg.kind not in kinds:
        return leg.kind in kinds
    return not job.isolated and not (leg.kind is LegKind.CALL and leg.isolated)
