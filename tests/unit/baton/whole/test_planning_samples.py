"""The sample agents with plans, and the demo model as a planner, over the real library."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from baton import Agent, Registry
from baton.engine.state import CallRecord, Job
from baton.engine.transitions import CallStatus, JobStatus
from baton.sdk.agents.samples.library_agents import LIBRARY, planner, report
from baton.sdk.tools.builtin.files import file_tools
from baton.sdk.tools.tool import Tool
from tests.unit.baton.kit.stage import Stage


def elsewhere(agent: Agent, folder: Path) -> Agent:
    tools = {item.name: item for item in file_tools(LIBRARY, folder)}

    def other(item: Any) -> Any:
        return tools.get(item.name, item) if isinstance(item, Tool) else item

    plan = [dataclasses.replace(step, tool=other(step.tool)) for step in agent.plan]
    return dataclasses.replace(agent, plan=plan, tools=[] if plan else [other(item) for item in agent.tools])


def reports_in(folder: Path) -> list[Path]:
    return list(folder.glob("*.md"))


async def played(agent: Agent, task: str = "go") -> tuple[Stage, Job]:
    stage = Stage(registry=Registry([agent]))
    return stage, await stage.played(agent.name, task=task)


async def steps(stage: Stage) -> dict[str, CallRecord]:
    return {call.step: call for call in await stage.calls() if call.step}


async def test_report_writes_what_its_plan_says(tmp_path: Path) -> None:
    stage, job = await played(elsewhere(report, tmp_path))
    assert job.status is JobStatus.COMPLETED
    assert {call.status for call in await stage.calls()} == {CallStatus.COMPLETED}
    (file,) = reports_in(tmp_path)
    text = file.read_text(encoding="utf-8")
    first, second = sorted(path.name for path in reports_in(LIBRARY))[:2]
    words = sum(len((LIBRARY / name).read_text(encoding="utf-8").split()) for name in (first, second))
    assert f"2 texts with {words} words." in text
    assert f"- {first}\n- {second}\n" in text
    assert (job.result or {})["output"]["path"] == file.name


async def test_planner_is_corrected_then_executes_its_plan(tmp_path: Path) -> None:
    stage, job = await played(elsewhere(planner, tmp_path))
    assert job.status is JobStatus.COMPLETED
    assert (job.result or {})["answer"].startswith("I searched for Fresnel")
    (refused,) = [call for call in await stage.calls() if not call.step]
    assert refused.error is not None
    assert "step 'count': there is no tool 'count_word'" in refused.error.message
    assert "step 'report': refers to result_of('read') and does not depend on it" in refused.error.message
    done = await steps(stage)
    assert {name for name, call in done.items() if call.status is CallStatus.FAILED} == {"missing"}
    assert len(reports_in(tmp_path)) == 1
    kinds = [json.loads(text)["type"] for text in stage.store.tree("job_1").parts["job_1"]]
    assert (kinds.count("data-plan-created"), kinds.count("data-reflection")) == (1, 1)
    assert kinds.index("data-plan-created") < kinds.index("data-reflection")


@pytest.mark.parametrize("rounds", [1, 5])
async def test_the_demo_model_plans_within_its_rounds(tmp_path: Path, rounds: int) -> None:
    agent = Agent(name="demo", model="demo", mode="plan", tools=file_tools(LIBRARY, tmp_path), max_rounds=rounds)
    stage, job = await played(agent, "Why did the Fresnel lens replace mirrors in lighthouses?")
    assert job.status is JobStatus.COMPLETED
    answer = (job.result or {})["answer"]
    assert (".md]" in answer) is (rounds > 1)
    tools = {call.tool for call in (await steps(stage)).values()}
    assert ("write_report" in tools) is (rounds > 1)
    assert len(reports_in(tmp_path)) == (rounds > 1)
    assert ("no further plan is possible" in answer) is (rounds == 1)
