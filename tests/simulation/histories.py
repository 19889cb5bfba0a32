"""What a turn is told of its job, held to what is stored: also where a process only read what has come since.

A process keeps how a history began, and reads on from there. So a beginning that is not the history's own, as after a
failover, would show here: by an entry or a result that is another one than the store's.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from baton.engine.commit.answers import ClaimResult, Committed
from baton.engine.commit.codec import load_results, load_values
from baton.engine.commit.tree import Tree
from baton.engine.state import reads_history


class Given(Struct, frozen=True):
    """A claim as its process got it, and the tree as it is by now. `most_bytes`: a longer history may be left out."""

    claim_result: ClaimResult
    tree: Tree
    most_bytes: int


def a_turn_is_told_what_is_stored(given: Given) -> str | None:
    """While nobody else has the step; what a model has left out of its history is told in other words."""
    state, history = given.claim_result.state, given.claim_result.history
    if state is None or not reads_history(state.item, state.job) or state.job.compacted != (0, 0):
        return None
    job_id, item = state.job.id, given.tree.items.get(state.item.key)
    if item is None or item.owner != state.item.owner:
        return None
    if history.size_bytes > given.most_bytes and not history.transcript and not history.results:
        return None  # it is left out altogether, and the job fails by name
    if list(history.transcript) != list(load_values(given.tree.transcript.get(job_id, ()))):
        return f"{item.key} is told another history of {job_id} than the stored one"
    results = load_results(given.tree.results.get(job_id, {}))
    other = [name for name, result in history.results.items() if results.get(name) != result]
    return f"{item.key} is told other results of {job_id} than the stored ones: {other}" if other else None


ON_GIVEN = (a_turn_is_told_what_is_stored,)


def given_in(answer: Any) -> Iterable[ClaimResult]:
    if isinstance(answer, Committed):
        return answer.claimed
    return (answer,) if isinstance(answer, ClaimResult) else ()
