"""Runs of workflows that are played stretch by stretch by their runner, without an engine or a store."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from baton import JobInfo, Registry
from baton.sdk.agents.agent import CodeAgent
from baton.sdk.agents.runner import CODE_RUNS, CodeRuns, Recorded, Runner, RunnerAnswer
from baton_events.ids import step_id

Outcome = Mapping[str, Any]
START_MS = 1_800_000_000_000


def runner_of(program: CodeAgent, *others: CodeAgent) -> Runner:
    runner = Registry(workflows=[program, *others]).agent(program.name).runner
    assert runner is not None
    return runner


class Job:
    """The record of a job. `open`: the steps in flight by number, each a tool and its arguments."""

    def __init__(self, data: dict[str, Any] | None = None, job_id: str = "job_1") -> None:
        self.info = JobInfo(job_id=job_id, session_id="s", tenant="t", task="", input_data=data or {})
        self.turns: list[dict[str, Any]] = []
        self.results: dict[str, Outcome] = {}
        self.open: dict[int, tuple[str, dict[str, Any]]] = {}
        self.ids: dict[int, str] = {}
        self.given_up: list[int] = []
        self.stretch, self.now_ms, self.cancelled = "", START_MS, False
        self.reads = 0

    def recorded(self, ended: Iterable[tuple[int, Outcome]]) -> Recorded:
        news = tuple([self.ids[number] for number, _ in ended])

        async def whole() -> Recorded:
            self.reads += 1
            return Recorded(self.info, turns=tuple(self.turns), results=self.results)

        own = {name: self.results[name] for name in news}
        rest: dict[str, Any] = {"now_ms": self.now_ms, "whole": whole, "stretch": self.stretch, "news": news}
        return Recorded(self.info, results=own, cancelled=self.cancelled, **rest)

    async def turn(self, runner: Runner, ended: Iterable[tuple[int, Outcome]] = (), seconds: float = 0) -> RunnerAnswer:
        """Run the next stretch, so many seconds later, with these outcomes; record it."""
        ended = list(ended)
        self.now_ms += round(seconds * 1000)
        for number, outcome in ended:
            self.results[self.ids[number]] = outcome
        answer = await runner.turn(self.recorded(ended), None)
        for number, _ in ended:
            self.open.pop(number, None)
        for number in answer.given_up:
            del self.open[number]
        self.given_up += answer.given_up
        calls = list[dict[str, Any]]()
        for number, call in zip(answer.numbers, answer.answer.calls, strict=True):
            arguments = dict(call.arguments)
            self.ids[number] = step_id(self.info.job_id, 1, number, call.tool, arguments)
            self.open[number] = call.tool, arguments
            calls.append({"id": self.ids[number], "tool": call.tool, "arguments": arguments})
        if answer.stretch:
            provider = answer.answer.provider
            self.turns.append({"turn": len(self.turns) + 1, "calls": calls, "provider": provider})
            self.stretch = answer.stretch
        return answer

    async def plays(self, runner: Runner, outcome_of: Callable[[str, dict[str, Any]], Outcome]) -> Any:
        """Give each step its outcome, the oldest first, to the end; return the output."""
        answer = await self.turn(runner)
        while answer.stretch:
            number, asked = next(iter(self.open.items()))
            answer = await self.turn(runner, [(number, outcome_of(*asked))], seconds=1)
        return answer.output


def opened(most: int = 500, limit_seconds: float = 0) -> CodeRuns:
    """Keep runs open from here on, in this task."""
    runs = CodeRuns(most, limit_seconds)
    CODE_RUNS.set(runs)
    return runs


def steps(job: Job) -> list[str]:
    return [
        " ".join(f"{call['tool']}{tuple(call['arguments'].values())}" for call in turn["calls"]) for turn in job.turns
    ]


def ok(value: Any = None) -> Outcome:
    return {"ok": value}


async def settled() -> None:
    await asyncio.sleep(0)
