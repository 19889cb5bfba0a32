"""Runs jobs of `long_agents` on their stack, and gives what a step costs at their beginning and at their end."""

import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.e2e.dev_stack import END_STATES, DevStack
from tests.e2e.long_agents import WINDOW, marks_of
from tests.e2e.meters import Meters, Units

JOB_SECONDS = 1_800.0
STILL_SECONDS = 1.0


@dataclass(frozen=True)
class Window:
    steps: int
    seconds: float
    cost: Units


@dataclass(frozen=True)
class Comparison:
    first: Window
    last: Window
    ended: dict[str, Any]


class LongRun:
    def __init__(self, stack: DevStack) -> None:
        self._stack = stack
        self._meters = Meters(stack)

    def sequential(self, length: int, model: str = "steps") -> Comparison:
        ended = self._ended(f"{model}-{length}")
        marks = {mark["step"]: mark for mark in map(json.loads, self._stack.noted())}
        self._stack.notes_path.unlink()
        first, first_end, last, last_end = (marks[at] for at in marks_of(length))
        return Comparison(_between(first, first_end), _between(last, last_end), ended)

    def fan_out(self, width: int) -> Comparison:
        """A job of so many tool calls at once: what its first and its last ones add to the cost of smaller ones."""
        self._ended("leaves-0")  # the first job opens connections, which is no cost of its own
        sizes = (0, WINDOW, width - WINDOW, width)
        costs: dict[int, Window] = {}
        ended: dict[str, Any] = {}
        for size in dict.fromkeys(sizes):
            before = self._meters.read()
            ended = self._ended(f"leaves-{size}")
            costs[size] = Window(size, _seconds(ended), self._meters.read() - before)
        none, first, most, everything = (costs[size] for size in sizes)
        return Comparison(_more(first, none), _more(everything, most), ended)

    def _ended(self, job_type: str) -> dict[str, Any]:
        """Run a job to its end. Looking at it is a cost, so it is looked at once nothing moves any more."""
        job_id = self._stack.submit(job_type, "Do it.")
        give_up_at = time.monotonic() + JOB_SECONDS
        while True:
            self._until_still(give_up_at)
            ended = self._stack.job(job_id)
            if ended["status"] in END_STATES:
                return ended

    def _until_still(self, give_up_at: float) -> None:
        seen = -1
        while seen != (seen := self._meters.read().requests):
            assert time.monotonic() < give_up_at, f"the job goes on after {JOB_SECONDS:g} s"
            time.sleep(STILL_SECONDS)


def _between(begin: dict[str, Any], end: dict[str, Any]) -> Window:
    cost = Units(**end["reading"]) - Units(**begin["reading"])
    return Window(end["step"] - begin["step"], end["at"] - begin["at"], cost)


def _more(larger: Window, smaller: Window) -> Window:
    return Window(larger.steps - smaller.steps, larger.seconds - smaller.seconds, larger.cost - smaller.cost)


def _seconds(ended: dict[str, Any]) -> float:
    return (datetime.fromisoformat(ended["finishedAt"]) - datetime.fromisoformat(ended["createdAt"])).total_seconds()
