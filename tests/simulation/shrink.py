"""Make a failing schedule small: leave out jobs and faults as long as the same invariant breaks; then tell its story.

`python -m tests.simulation.shrink SEED [--faults …] [--whole]`.
"""

import argparse
import sys
from contextlib import closing
from dataclasses import replace

from baton.testing.virtual_loop import VirtualLoop
from tests.simulation.plan import ALL_FAULTS, NO_FAULTS, Plan, make_plan
from tests.simulation.play import play
from tests.simulation.world import World


class Shrinker:
    def __init__(self, plan: Plan, loop: VirtualLoop) -> None:
        self._loop = loop
        self.plan = plan
        self.muted = frozenset[str]()
        violation = play(plan, loop).violation
        self.name = violation.name if violation else ""

    def shrink(self) -> None:
        self._without_jobs()
        self._without_faults()
        self._without_jobs()
        for simpler in (replace(self.plan, skew_ms=0), replace(self.plan, by_topic=False)):
            if self._breaks(simpler, self.muted):
                self.plan = simpler

    def world(self) -> World:
        return play(self.plan, self._loop, self.muted, keeps_story=True)

    def _breaks(self, plan: Plan, muted: frozenset[str]) -> bool:
        violation = play(plan, self._loop, muted).violation
        return violation is not None and violation.name == self.name

    def _without_jobs(self) -> None:
        for job in self.plan.jobs:
            fewer = replace(self.plan, jobs=tuple(other for other in self.plan.jobs if other != job))
            if fewer.jobs and self._breaks(fewer, self.muted):
                self.plan = fewer

    def _without_faults(self) -> None:
        outages = frozenset(f"{outage.what}-down" for outage in self.plan.outages)
        for outage in outages:
            self._mute([outage])
        faults = play(self.plan, self._loop, self.muted).faults.happened
        size = len(faults)
        while size >= 1:
            for first in range(0, len(faults), size):
                self._mute(faults[first : first + size])
            faults = play(self.plan, self._loop, self.muted).faults.happened
            size = min(size, len(faults) + 1) // 2

    def _mute(self, faults: list[str]) -> None:
        more = self.muted | frozenset(faults)
        if more != self.muted and self._breaks(self.plan, more):
            self.muted = more


def shrunk_story(seed: int, faults: frozenset[str] = ALL_FAULTS) -> str:
    with closing(VirtualLoop()) as loop:
        shrinker = Shrinker(make_plan(seed, faults), loop)
        if not shrinker.name:
            return f"seed {seed} breaks nothing"
        shrinker.shrink()
        return _replayed(shrinker.world(), f"seed {seed}, made small")


def whole_story(seed: int, faults: frozenset[str] = ALL_FAULTS) -> str:
    with closing(VirtualLoop()) as loop:
        return _replayed(play(make_plan(seed, faults), loop, keeps_story=True), f"seed {seed}")


def _replayed(world: World, title: str) -> str:
    plan = world.plan
    mode = " beside ".join(plan.modes)
    limits = f"work {plan.work_timeout_seconds} s, delivery {plan.message_timeout_seconds} s"
    return "\n".join(
        [
            f"--- {title}: {mode}, {plan.slots} slots, {limits}, clocks wrong by up to {plan.skew_ms} ms",
            *(f"    {job}" for job in plan.jobs),
            *(f"    {outage}" for outage in plan.outages),
            world.story.text(),
            f"--- faults that remain: {', '.join(world.faults.happened) or 'none'}",
        ]
    )


def faults_named(text: str) -> frozenset[str]:
    if text in ("all", "none"):
        return ALL_FAULTS if text == "all" else NO_FAULTS
    chosen = frozenset(text.split(","))
    if chosen - ALL_FAULTS:
        raise SystemExit(f"unknown faults {', '.join(sorted(chosen - ALL_FAULTS))}: there are {', '.join(ALL_FAULTS)}")
    return chosen


def main() -> int:
    parser = argparse.ArgumentParser(description="Tell the story of a schedule, made small.")
    parser.add_argument("seed", type=int)
    parser.add_argument("--faults", default="all")
    parser.add_argument("--whole", action="store_true", help="as it is, not made small")
    options = parser.parse_args()
    tell = whole_story if options.whole else shrunk_story
    print(tell(options.seed, faults_named(options.faults)))  # noqa: T201 - it is a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
