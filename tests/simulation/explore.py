"""Play many schedules on both cores, and say what came out.

`python -m tests.simulation.explore --schedules 20000 --seed 1 [--faults all|none|crash,error,…] [--seconds 60]`.
Most of them are plain; the others are of the families and kinds of README.md. An option asks for one of them alone, or
for those of some kinds together; `--small`: with one job or two in each.
The first that breaks an invariant is shrunk and told as a story; `shrink.py` does that for any seed.
"""

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, combinations, zip_longest

from tests.simulation import plan
from tests.simulation.plan import ALL_FAULTS, OTHER_FAMILIES
from tests.simulation.play import Failure, Summary, play_many, table_of_crash_points
from tests.simulation.shrink import faults_named, shrunk_story
from tests.simulation.workers import PROCESSES, workers

_CHUNK = 50
# From so many schedules on, there is one of each kind.
_ONE_OF_EACH = 300
# By the option that asks for them: what worlds have that bit, and what they are.
_ONLY = {
    "waits": (plan.WAITING_SEEDS, "whose jobs also wait"),
    "plans": (plan.PLANNING_SEEDS, "whose jobs also plan"),
    "sessions": (plan.SESSION_SEEDS, "whose jobs share a session"),
    "streams": (plan.STREAMING_SEEDS, "whose texts are streamed"),
    "approvals": (plan.APPROVING_SEEDS, "whose jobs also ask people"),
    "returns": (plan.RETURNING_SEEDS, "in which somebody comes back to jobs"),
    "deploys": (plan.DEPLOYING_SEEDS, "in which two versions run side by side"),
    "cuts": (plan.CUTTING_SEEDS, "whose queue loses connections"),
    "limits": (plan.LIMITED_SEEDS, "whose hosted parts have limits"),
    "outages": (plan.AWAY_SEEDS, "whose store or queue is away, up to a day"),
    "kills": (plan.KILLING_SEEDS, "in which work kills its process"),
    "crowds": (plan.CROWDED_SEEDS, "whose host has few places"),
    "blocking": (plan.BLOCKING_SEEDS, "with tools that block, and hang"),
    "full": (plan.FULL_SEEDS, "whose tenants may store few bytes"),
    "crons": (plan.CRON_SEEDS, "whose jobs a schedule starts"),
    "background": (plan.BACKGROUND_SEEDS, "whose calls go on in the background"),
    "people": (plan.PEOPLE_SEEDS + plan.APPROVING_SEEDS, "in which two people must approve"),
    "offloads": (plan.OFFLOADING_SEEDS, "whose models the queue asks"),
    "call-limits": (plan.CALL_LIMIT_SEEDS, "whose calls share limits"),
    "starts": (plan.START_SEEDS, "half of whose calls start at most once"),
    "again": (plan.AGAIN_SEEDS, "whose calls run several times"),
    "front-ends": (plan.FRONT_END_SEEDS + plan.STREAMING_SEEDS, "whose streams AG-UI's front ends read"),
    "steering": (plan.STEERING_SEEDS, "in which more is said to running jobs"),
    "tenants": (plan.STEERING_SEEDS + plan.TENANT_SEEDS, "whose sessions of one name are two tenants'"),
    "odd": (plan.ODD_SEEDS, "with values that cannot be written, and rude clients"),
    "small": (plan.SMALL_SEEDS, "with one job or two"),
    "once": (plan.ONCE_SEEDS, "some of whose app events have a key of one job"),
    "workflows": (plan.WORKFLOW_SEEDS, "whose jobs are workflows"),
    "sealed": (plan.SEALED_SEEDS, "whose texts are sealed, while keys rotate"),
    "objects": (plan.OBJECT_SEEDS, "whose tasks and results are objects"),
    "scripts": (plan.SCRIPT_SEEDS, "whose models send scripts"),
    "events": (plan.EVENT_SEEDS, "whose jobs app events start"),
}
_FAMILIES = (0, *OTHER_FAMILIES)
# Kinds that each family has, and the families of those that fewer have.
_KINDS = tuple(
    _ONLY[name][0]
    for name in (
        *("kills", "crowds", "blocking", "crons", "events", "steering"),
        *("background", "offloads", "again", "starts", "call-limits", "tenants", "sealed", "objects"),
    )
)
_DEPLOYING = (0, *(_ONLY[name][0] for name in ("waits", "plans", "streams", "approvals", "returns")))
_RETURNED = (0, plan.WAITING_SEEDS, plan.PLANNING_SEEDS, plan.APPROVING_SEEDS)
_CODED = (*_RETURNED[:2], plan.APPROVING_SEEDS, plan.RETURNING_SEEDS, plan.APPROVING_SEEDS + plan.RETURNING_SEEDS)
_CUTTING = (*_FAMILIES, plan.RETURNING_SEEDS, plan.DEPLOYING_SEEDS)
_LIMITED = (*_FAMILIES, plan.RETURNING_SEEDS, plan.CUTTING_SEEDS)
# What may go wrong together, in plain worlds and in those whose jobs wait.
_TOGETHER = tuple(
    first + sum(_ONLY[name][0] for name in names)
    for first in (0, plan.WAITING_SEEDS)
    for names in combinations(("outages", "kills", "crowds", "blocking", "cuts"), 2)
)


def explore(
    schedules: int,
    seed: int,
    faults: frozenset[str] = ALL_FAULTS,
    most_seconds: float = math.inf,
    found: Callable[[Failure], None] = lambda _failure: None,
    *,
    giving_way: int = 0,
) -> Summary:
    """Play so many schedules from this seed on, or as many as there is time for; `found` is told of failures.

    Most of them are plain worlds; the other families share the rest.
    `most_seconds`: how long they are begun. `giving_way`: how nice the processes are.
    """
    began_at, summary = time.monotonic(), Summary()
    with workers(giving_way) as pool:
        chunks = _chunks(schedules, seed)
        running = [
            pool.submit(play_many, chunk, faults) for _, chunk in zip(range(2 * PROCESSES), chunks, strict=False)
        ]
        while running:
            played = running.pop(0).result()
            summary.add(played)
            for failure in played.failures:
                found(failure)
            if time.monotonic() - began_at < most_seconds:
                running += [pool.submit(play_many, chunk, faults) for _, chunk in zip(range(1), chunks, strict=False)]
    return summary


def _chunks(schedules: int, seed: int) -> Iterator[range]:
    """Most of them plain worlds from this seed on, the others of the other families alike; or of one family alone."""
    if seed & ~plan.SMALL_SEEDS >= plan.LIMITED_SEEDS:
        return _ranges(schedules, seed)
    least = int(schedules >= _ONE_OF_EACH)
    each, returning = schedules // (4 * len(OTHER_FAMILIES)), schedules // 120
    deploying, cutting, killing = (max(schedules // share, least) for share in (160, 400, 800))
    others = (
        *((deploying, plan.DEPLOYING_SEEDS + first) for first in _DEPLOYING),
        *((cutting, plan.CUTTING_SEEDS + first) for first in _CUTTING),
        *((cutting, plan.LIMITED_SEEDS + first) for first in _LIMITED),
        *((cutting, plan.AWAY_SEEDS + first) for first in _FAMILIES),
        *((killing, kind + first) for kind in _KINDS for first in _FAMILIES),
        *((killing, plan.FULL_SEEDS + first) for first in (*_FAMILIES, plan.RETURNING_SEEDS)),
        *((killing, first) for first in _TOGETHER),
        *((deploying, kind + first) for kind in (plan.WORKFLOW_SEEDS, plan.SCRIPT_SEEDS) for first in _CODED),
        (deploying, plan.FRONT_END_SEEDS + plan.STREAMING_SEEDS),
        *((each, first) for first in OTHER_FAMILIES),
        *((returning, plan.RETURNING_SEEDS + first) for first in _RETURNED),
    )
    plain = schedules - sum(share for share, _ in others)
    families = (_ranges(share, first + seed) for share, first in ((plain, 0), *others))
    mixed = chain.from_iterable(zip_longest(*families, fillvalue=range(0)))
    return (chunk for chunk in mixed if chunk)


def _ranges(schedules: int, seed: int) -> Iterator[range]:
    return (range(first, min(first + _CHUNK, seed + schedules)) for first in range(seed, seed + schedules, _CHUNK))


def _found(failure: Failure) -> None:
    print(f"seed {failure.seed} breaks {failure.broken.name}: {failure.broken.text[:300]}", flush=True)  # noqa: T201


def summary_of(summary: Summary, seconds: float, wanted: int = 0) -> str:
    played = f"{summary.schedules:,} of {wanted:,}" if summary.schedules < wanted else f"{summary.schedules:,}"
    server = f"{summary.on_server:,} of them on the real server, too"
    took = f"{summary.processor_seconds:.0f} s of processor time ({seconds:.0f} s by the clock)"
    jobs = ", ".join(f"{count} {status}" for status, count in sorted(summary.jobs.items()))
    lines = [
        f"{played} schedules in {took}, {server}",
        f"jobs: {jobs}; {summary.invocations} invocations, {summary.faults} faults",
        f"schedules that break an invariant: {len(summary.failures)}",
    ]
    names = Counter(failure.broken.name for failure in summary.failures)
    for name, count in names.most_common():
        first = [failure for failure in summary.failures if failure.broken.name == name]
        seeds = ", ".join(str(failure.seed) for failure in first[:8])
        lines += [f"  {name}: {count} (seeds {seeds})", f"    {first[0].broken.text[:400]}"]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Play many schedules of the simulation.")
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", default="all", help=f"all, none, or some of {', '.join(sorted(ALL_FAULTS))}")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after that time")
    for name, (_, which) in _ONLY.items():
        parser.add_argument(f"--{name}", action="store_true", help=f"only worlds {which}")
    options = parser.parse_args()
    requested = [bit for name, (bit, _) in _ONLY.items() if getattr(options, name.replace("-", "_"))]
    family = max((bit for bit in requested if bit in OTHER_FAMILIES), default=0)
    seed = options.seed + family + sum(bit for bit in requested if bit not in OTHER_FAMILIES)
    if seed & ~plan.SMALL_SEEDS >= plan.LIMITED_SEEDS:
        print(f"seeds from {plan.LIMITED_SEEDS} on: worlds of one kind alone", flush=True)  # noqa: T201 - it is a command
    began_at = time.monotonic()
    summary = explore(options.schedules, seed, faults_named(options.faults), options.seconds, _found)
    print(summary_of(summary, time.monotonic() - began_at))  # noqa: T201 - it is a command
    print(table_of_crash_points(summary))  # noqa: T201 - it is a command
    if summary.failures:
        print(shrunk_story(summary.failures[0].seed, faults_named(options.faults)))  # noqa: T201 - it is a command
    return 1 if summary.failures else 0


if __name__ == "__main__":
    sys.exit(main())
