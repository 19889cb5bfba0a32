"""What one COMMIT may add, and what its invocation has room for, as the differential test draws it."""

from collections.abc import Sequence

from hypothesis import strategies as st

from baton.core.going_on import GoOn
from baton.core.legs import Leg, LegKind
from baton.core.state import CallRecord
from baton.ports import Claim
from tests.contract.store.sample import leases_of

_KINDS = (frozenset(LegKind), frozenset({LegKind.WISH, LegKind.CALL}), frozenset({LegKind.LOOP}))


def waits_once(leg: Leg) -> str:
    """By what legs of one COMMIT differ: a call waits for one thing at a time."""
    return leg.call_id if leg.kind is LegKind.WAIT else leg.key


def results_of(done: str, calls: Sequence[CallRecord]) -> dict[str, str]:
    """What the COMMIT of this leg records: the end of a wait, no other outcome than that of its own call."""
    names = done.split(":")[1:2] if done.startswith(f"{LegKind.WAIT}:") and calls else [call.id for call in calls[:1]]
    return dict.fromkeys(names, '{"ok":1}')


@st.composite
def rooms(draw: st.DrawFn, claim: Claim, legs: Sequence[Leg]) -> GoOn:
    """Room for what follows, under one of few names, so that some ask again for what they hold.

    Each is of one job, as that of a real COMMIT is: it is told of its own job's legs only.
    """
    kinds, but = draw(st.sampled_from(_KINDS)), draw(st.lists(st.sampled_from([leg.key for leg in legs]), max_size=3))
    at_most, number = draw(st.integers(0, 4)), draw(st.integers(1, 2))
    return GoOn(f"{claim.owner}.{number}.{claim.job_id}", leases_of(kinds), at_most, frozenset(but))
