"""Scores of a job, given at any time: a name, a number, a comment. Pure.

Invariant: a job has one score of a name; a later one replaces it. The deployment's counters have the sum and the number
of each agent's scores by name, as many names as there is room for, and the others together.
"""

from collections.abc import Mapping

from msgspec import Struct

MOST_OF_A_JOB = 50
NAME = r"^[A-Za-z0-9._-]{1,64}$"
COMMENT_CHARS = 2_000
# So that counters, which are whole millionths, stay exact.
LARGEST = 1_000_000

# The deployment's counters: these, an agent and a name, apart by colons, which neither of the two has.
SCORES, SCORES_MICRO = "scores", "scores_micro"
MOST_COUNTED = 200
OTHERS = "other"
_MILLION = 1_000_000


class Score(Struct, frozen=True, omit_defaults=True):
    """One score. `value`: a bool counts as 1 or 0. `by`: whose key it came with."""

    name: str
    value: bool | int | float
    comment: str = ""
    created_ms: int = 0
    by: str = ""
    sealed: str = ""


def counts_of(agent: str, score: Score, before: Score | None, sums: Mapping[str, int]) -> dict[str, int]:
    """Return what a score adds to the counters, whose sums are these; `before`: the score that it replaces."""
    name = score.name
    counted = [counter for counter in sums if counter.startswith(f"{SCORES}:")]
    if f"{SCORES}:{agent}:{name}" not in sums and len(counted) >= MOST_COUNTED:
        name = OTHERS
    micro = round(score.value * _MILLION) - (round(before.value * _MILLION) if before else 0)
    return {f"{SCORES_MICRO}:{agent}:{name}": micro, **({} if before else {f"{SCORES}:{agent}:{name}": 1})}
