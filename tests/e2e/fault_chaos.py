"""Blows to the parts of a running stack, from a seed: killed with -9, or held still for a while.

Invariant: the same seed always gives the same plan; nothing is held still any more when `execute` is through. One
part is hit at a time. What it was just doing is chance, so a seed repeats the blows, not the outcome.
"""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random  # noqa: TID251 - the one file of these tests that draws, from a seed that is printed

from tests.e2e.fault_agents import SHAPES
from tests.e2e.fault_client import Submission
from tests.e2e.fault_stack import PARTS, SECOND_TENANT, FaultStack

FIRST_TENANT = "dev"
SHORTEST_STOP_SECONDS, LONGEST_STOP_SECONDS = 0.5, 3.0
LONGEST_PAUSE_SECONDS = 1.2
SESSIONS = ("together-1", "together-2")


@dataclass(frozen=True, slots=True)
class Blow:
    """What happens to one part, after a pause: held still for `stop_seconds`, or killed when that is 0."""

    pause_seconds: float
    part: str
    stop_seconds: float = 0.0


def blows(seed: int, seconds: float) -> list[Blow]:
    random, planned, drawn_seconds = Random(seed), list[Blow](), 0.0
    while drawn_seconds < seconds:
        stop = random.uniform(SHORTEST_STOP_SECONDS, LONGEST_STOP_SECONDS) if random.random() < 0.5 else 0.0
        planned.append(Blow(random.uniform(0.1, LONGEST_PAUSE_SECONDS), random.choice(PARTS), stop))
        drawn_seconds += planned[-1].pause_seconds + stop
    return planned


def submissions(seed: int, count: int, seconds: float) -> list[Submission]:
    """Jobs of all shapes and of both tenants, some in a session that others have, too, spread over so many seconds."""
    random = Random(seed)
    names = [*SHAPES] * (count // len(SHAPES) + 1)
    return [
        Submission(
            key=f"key-{seed}-{number}",
            tenant=random.choice((FIRST_TENANT, SECOND_TENANT)),
            agent=names[number],
            session=random.choice(SESSIONS) if random.random() < 0.2 else None,
            at_seconds=seconds * number / count,
            insists=number % 4 > 0,
        )
        for number in range(count)
    ]


def execute(stack: FaultStack, planned: Iterable[Blow]) -> Iterator[str]:
    """Strike each blow, and say what really happened."""
    began = time.monotonic()
    for blow in planned:
        time.sleep(blow.pause_seconds)
        yield f"{time.monotonic() - began:5.1f} s: {_strike(stack, blow)}"


def _strike(stack: FaultStack, blow: Blow) -> str:
    pid = stack.living(blow.part)
    if pid is None:
        return f"{blow.part} is just being started again, and is spared"
    if not blow.stop_seconds:
        os.kill(pid, signal.SIGKILL)
        return f"{blow.part} ({pid}) is killed"
    with stack.stopped(blow.part):
        time.sleep(blow.stop_seconds)
    return f"{blow.part} ({pid}) was held still for {blow.stop_seconds:.1f} s"
