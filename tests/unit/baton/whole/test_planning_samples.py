"""The samples: agents with plans, the demo model as a planner, and the job types with their checkpoints."""

import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from baton import Agent, Registry
from baton.agents.samples.library_agents import LIBRARY
from baton.agents.samples.plans import planner, report
from baton.agents.samples.registry import registry
from baton.engine.state import CallRecord, Job
from baton.engine.transitions import CallStatus, JobStatus
from baton.tools.builtin.files import file_tools
from baton.tools.tool import Tool
from tests.unit.baton.api.client import Api, api_of, with_keys
from tests.unit.baton.kit.approval_kit import checkpoints, decide, pending, run_for_an_hour
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


@pytest.mark.parametrize("rounds", [1, 3])
async def test_the_demo_model_plans_within_its_rounds(tmp_path: Path, rounds: int) -> None:
    agent = Agent(name="demo", model="demo", mode="plan", tools=file_tools(LIBRARY, tmp_path), max_rounds=rounds)
    stage, job = await played(agent, "Why did the Fresnel lens replace mirrors in lighthouses?")
    assert job.status is JobStatus.COMPLETED
    answer = (job.result or {})["answer"]
    assert ".md]" in answer
    tools = {call.tool for call in (await steps(stage)).values()}
    assert ("write_report" in tools) is (rounds > 1)
    assert len(reports_in(tmp_path)) == (rounds > 1)
    assert ("no further plan is possible" in answer) is (rounds == 1)


FILES = [{"path": "lib/auth.ts", "content": "export function authenticate() {}\n"}]


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.chdir(tmp_path)
    async with api_of(Stage(settings=with_keys(), registry=registry)) as made:
        yield made


async def submitted(api: Api, job_type: str, task: str = "", **data: Any) -> str:
    job = await api.submitted(jobType=job_type, taskDescription=task, inputData=data)
    await run_for_an_hour(api)
    return str(job["id"])


async def test_rejected_code_is_not_written(api: Api, tmp_path: Path) -> None:
    job_id = await submitted(api, "code-generation", files=FILES)
    (question,) = await pending(api, job_id)
    await decide(api, question, "DELETE", reason="Code doesn't meet security standards")
    await run_for_an_hour(api)
    job = await api.read(job_id)
    assert (job["status"], job["error"]["message"]) == (
        "failed",
        "step 'write' failed: Code doesn't meet security standards",
    )
    assert not (tmp_path / ".baton").exists()


async def test_a_path_out_of_the_workspace_is_refused(api: Api, tmp_path: Path) -> None:
    job_id = await submitted(api, "code-generation", files=[{"path": "../evil.txt", "content": "x"}])
    await decide(api, (await pending(api, job_id))[0])
    await run_for_an_hour(api)
    job = await api.read(job_id)
    assert job["status"] == "failed"
    assert "'..'" in job["error"]["message"]
    assert not (tmp_path / ".baton/evil.txt").exists()


async def test_code_without_files_is_a_note_of_the_task(api: Api) -> None:
    """So that the type can be tried with a task alone."""
    job_id = await submitted(api, "code-generation", "Build a lamp")
    files = [{"path": "generated/TASK.md", "content": "# Build a lamp\n"}]
    assert (await pending(api, job_id))[0]["arguments"] == {"files": files}


async def test_data_processing_leaves_a_mark_after_each_step(api: Api) -> None:
    sample = await submitted(api, "data-processing")
    assert (await api.read(sample))["result"]["output"]["rows"] == 3
    job_id = await submitted(api, "data-processing", rows=[{"n": 1, "ok": True}, {"n": 3}, {}, {"n": None}, 5])
    marks = await checkpoints(api, job_id)
    assert [mark["title"] for mark in marks] == ["rows are loaded", "rows are cleaned", "columns are summed up"]
    assert (await api.read(job_id))["result"]["output"] == {
        "rows": 3,
        "columns": {
            "n": {"count": 2, "min": 1, "max": 3, "mean": 2.0},
            "value": {"count": 1, "min": 5, "max": 5, "mean": 5.0},
        },
    }
