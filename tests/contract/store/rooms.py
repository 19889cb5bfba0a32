"""What one COMMIT may add, and what its invocation has room for, as the differential test draws it."""

from collections.abc import Sequence

from hypothesis import strategies as st

from baton.engine.commit.answers import Claim
from baton.engine.outbox import Continuation
from baton.engine.state import CallRecord
from baton.engine.work_items import ItemKind, WorkItem
from tests.contract.store.sample import leases_of

_KINDS = (frozenset(ItemKind), frozenset({ItemKind.SLOT_REQUEST, ItemKind.CALL}), frozenset({ItemKind.LOOP}))


def waits_once(item: WorkItem) -> str:
    """By what work items of one COMMIT differ: a call waits for one thing at a time."""
    return item.call_id if item.kind is ItemKind.WAIT else item.key


def results_of(done: str, calls: Sequence[CallRecord]) -> dict[str, str]:
    """What the COMMIT of this work item records: the end of a wait, no other outcome than that of its own call."""
    names = done.split(":")[1:2] if done.startswith(f"{ItemKind.WAIT}:") and calls else [call.id for call in calls[:1]]
    return dict.fromkeys(names, '{"ok":1}')


@st.composite
def rooms(draw: st.DrawFn, claim: Claim, items: Sequence[WorkItem]) -> Continuation:
    """Room for what follows, under one of few names, so that some ask again for what they hold.

    Each is of one job, as that of a real COMMIT is: it is told of its own job's work items only.
    """
    kinds, but = (
        draw(st.sampled_from(_KINDS)),
        draw(st.lists(st.sampled_from([item.key for item in items]), max_size=3)),
    )
    at_most, number = draw(st.integers(0, 4)), draw(st.integers(1, 2))
    return Continuation(f"{claim.owner}.{number}.{claim.job_id}", leases_of(kinds), at_most, frozenset(but))
