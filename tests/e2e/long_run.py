"""Runs the long jobs of `long_agents` on a stack and gives what a step costs at their beginning and at their end."""

import json
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.e2e.dev_stack import DevStack
from tests.e2e.long_agents import WINDOW, marks_of
from tests.e2e.meters import Meters, Reading
from tests.e2e.test_dev_jobs import END_STATES, job, submit

ROOT = Path(__file__).parents[2]
JOB_SECONDS = 1_800.0
STILL_SECONDS = 1.0


@dataclass(frozen=True)
class Window:
    steps: int
    seconds: float
    cost: Reading


@dataclass(frozen=True)
class Comparison:
    first: Window
    last: Window
    ended: dict[str, Any]


class LongRun:
    def __init__(self, stack: DevStack, continuation: str = "queue") -> None:
        self._marks = stack.folder / "marks"
        stack.arguments = ("--port", "0", "--app", "tests.e2e.long_agents:registry")
        stack.working_folder = ROOT
        stack.environment = {"CONTINUATION": continuation, **stack.environment, "MARKS": str(self._marks)}
        self._stack = stack.start()
        self._meters = Meters(stack.folder, stack.described)

    def sequential(self, length: int, model: str = "steps") -> Comparison:
        ended = self._ended(f"{model}-{length}")
        marks = {mark["step"]: mark for mark in map(json.loads, self._marks.read_text().splitlines())}
        self._marks.unlink()
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
        job_id = submit(self._stack, job_type)
        give_up_at = time.monotonic() + JOB_SECONDS
        while True:
            self._until_still(give_up_at)
            ended = job(self._stack, job_id)
            if ended["status"] in END_STATES:
                return ended

    def _until_still(self, give_up_at: float) -> None:
        seen = -1
        while seen != (seen := self._meters.read().requests):
            assert time.monotonic() < give_up_at, f"the job goes on after {JOB_SECONDS:g} s"
            time.sleep(STILL_SECONDS)


def _between(begin: dict[str, Any], end: dict[str, Any]) -> Window:
    cost = Reading(**end["reading"]) - Reading(**begin["reading"])
    return Window(end["step"] - begin["step"], end["at"] - begin["at"], cost)


def _more(larger: Window, smaller: Window) -> Window:
    return Window(larger.steps - smaller.steps, larger.seconds - smaller.seconds, larger.cost - smaller.cost)


def _seconds(ended: dict[str, Any]) -> float:
    return (datetime.fromisoformat(ended["finishedAt"]) - datetime.fromisoformat(ended["createdAt"])).total_seconds()
