"""Jobs of workflows that are played turn by turn by their runner, without a store."""

from types import ModuleType
from typing import Any

from baton import JobInfo, Registry
from baton.sdk.agents.runner import Recorded, Runner, RunnerAnswer
from tests.unit.baton.sdk.code_mode.generated import outcome_of


class Job:
    """Plays the turns of a job by its runner, with the outcomes of its calls."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.info = JobInfo(job_id="job_1", session_id="s", tenant="t", task="", input_data=data)
        self.turns: list[dict[str, Any]] = []
        self.results: dict[str, dict[str, Any]] = {}

    def recorded(self, turns: int = 1, *, whole: bool = False) -> Recorded:
        async def everything() -> Recorded:
            return Recorded(self.info, turns=tuple(self.turns), results=self.results)

        kept = tuple(self.turns[-turns:])
        return Recorded(self.info, turns=kept, results=self.results, now_ms=1000, whole=everything if whole else None)

    async def turn(self, runner: Runner, *, whole: bool = False) -> RunnerAnswer:
        """Run a stretch, and what it calls."""
        answer = await runner.turn(self.recorded(whole=whole), None)
        number = len(self.turns) + 1
        calls = [
            {"id": f"{number}-{at}", "tool": call.tool, "arguments": call.arguments}
            for at, call in enumerate(answer.answer.calls)
        ]
        for call in calls:
            self.results[str(call["id"])] = outcome_of(str(call["tool"]), call["arguments"])
        self.turns.append({"turn": number, "calls": calls, "provider": answer.answer.provider})
        return answer


def runner_of(module: ModuleType) -> Runner:
    runner = Registry(workflows=[module.main]).agent("main").runner
    assert runner is not None
    return runner
