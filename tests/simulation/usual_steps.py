"""Invariant of usual steps: each is as any other way of it would be, to the byte.

ON_USUAL: at each usual step, before its request is sent.
"""

from tests.contract.store.usual_twin import Twins


def a_usual_step_is_as_any_other(twins: Twins) -> str | None:
    """Its request with the bill, its answer, and what its process knows of the tree afterwards."""
    return twins.difference()


ON_USUAL = (a_usual_step_is_as_any_other,)
