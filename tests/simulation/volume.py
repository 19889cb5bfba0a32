"""How many schedules the tests promise to play, and which: the same ones each time, and fresh ones beside them.

Invariant: the count is the promise. A slow machine takes longer for it; the time limit only turns a run that would
never end into a failure that says how many are missing.
"""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.simulation.plan import LIMITED_SEEDS, SMALL_SEEDS

# Change it to look at other schedules; a failure names the seed of its own.
BASE_SEED = 1
FIXED_SCHEDULES = 300
FRESH_SCHEDULES = 100
# With one job or two: most violations need no more, and they take a third of the time.
SMALL_SCHEDULES, SMALL_BASE_SEED = 500, SMALL_SEEDS + 12_391_831_578
# Of the fresh ones, `make test` plays the first.
FRESH_SLICE = 10
# Two cores that also run the other tests take ten minutes for each. Far beyond that something is wrong, and that fails.
TIME_LIMIT_SECONDS = 3_000.0
FRESH_VARIABLE = "SIMULATION_FRESH_SEED"
_FIRST_FRESH, _FRESH_RANGE = 1_000_000_000, 60_000_000_000
_REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Batch:
    """Schedules that a test promises to play; `name`: what they are, and how to play them again."""

    name: str
    seed: int
    schedules: int


FIXED = Batch("fixed", BASE_SEED, FIXED_SCHEDULES)
SMALL = Batch("small", SMALL_BASE_SEED, SMALL_SCHEDULES)


def fresh(environment: Mapping[str, str], commit: str) -> Batch:
    """Name the fresh schedules: other ones for each commit, unless the environment says which.

    A commit is always judged by the same ones, so a run that was red stays red until something is changed.

    Raises:
        ValueError: the environment's seed is none that begins plain worlds.
    """
    shown = environment.get(FRESH_VARIABLE, "")
    if shown:
        if not shown.isdecimal() or not 0 < int(shown) < LIMITED_SEEDS - FRESH_SCHEDULES:
            raise ValueError(f"{FRESH_VARIABLE}={shown!r}: use a whole number from 1 to {LIMITED_SEEDS:,}")
        seed, origin = int(shown), f"as {FRESH_VARIABLE} says"
    else:
        digest = sha256(commit.encode()).digest()
        seed = _FIRST_FRESH + int.from_bytes(digest[:8], "big") % _FRESH_RANGE
        origin = f"of commit {commit[:9] or 'unknown'}; again with {FRESH_VARIABLE}={seed}"
    return Batch(f"fresh ({origin})", seed, FRESH_SCHEDULES)


def present_commit() -> str:
    """Name the commit that is checked out; empty where there is none, as in an unpacked archive."""
    requested = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=_REPOSITORY, capture_output=True, text=True, check=False
    )
    return requested.stdout.strip() if requested.returncode == 0 else ""
