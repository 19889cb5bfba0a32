"""The sample job types run to their end, with the checkpoints that they are meant to show."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from baton.agents.samples.registry import registry
from tests.unit.baton.api.client import Api, api_of, with_keys
from tests.unit.baton.kit.approval_kit import checkpoints, decide, pending, run_for_an_hour
from tests.unit.baton.kit.stage import Stage

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
    """In their order; rows without anything are left out."""
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
