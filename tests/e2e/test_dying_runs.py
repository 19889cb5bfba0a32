"""Agents that pydantic-ai documents, as processes that die in each piece of their runs: as if none had died."""

import time
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai.messages import ModelMessagesTypeAdapter
from pydantic_core import to_jsonable_python

from tests.e2e.dying_runs import PIECES
from tests.unit.baton.pydantic_ai.played import comparable

PATIENCE_SECONDS = 400


def revived(apps: dict[str, Any], jobs: dict[str, str]) -> dict[str, Any]:
    """The jobs once all have ended; a process that has died is started again."""
    ended: dict[str, Any] = {}
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while len(ended) < len(jobs):
        assert time.monotonic() < give_up_at, jobs.keys() - ended.keys()
        for name in jobs.keys() - ended.keys():
            try:
                job = apps[name].job(jobs[name])
            except OSError:
                apps[name].kill()
                apps[name].start()
                continue
            if job["finishedAt"]:
                ended[name] = job
        time.sleep(0.1)
    return ended


@pytest.mark.e2e
@pytest.mark.long
async def test_a_run_whose_process_dies_in_each_piece_is_as_a_run(agent_app: Any, tmp_path: Path) -> None:
    """Each agent has an app of its own, so that no process dies of another one's pieces."""
    apps, jobs = dict[str, Any](), dict[str, str]()
    for make in PIECES:
        name = make.__name__
        settings = {"NOTES": str(tmp_path / name), "WORK_TIMEOUT_SECONDS": "5"}
        apps[name] = agent_app("tests.e2e.dying_runs:registry", **settings)
        jobs[name] = apps[name].submit(name, "do it")
        (tmp_path / name).touch()
    ended = revived(apps, jobs)
    deaths = {make: (tmp_path / make.__name__).read_text().splitlines() for make in PIECES}
    assert {make: len(lines) for make, lines in deaths.items()} == PIECES
    kinds = {" ".join(line.split()[:2]) for lines in deaths.values() for line in lines}
    assert kinds == {"before turn", "before call", "after turn", "after call"}
    for make in PIECES:
        case = make()
        expected = await case.agent.run(case.prompt, deps=case.deps)
        job = ended[make.__name__]
        assert (job["status"], job["error"]) == ("completed", None)
        assert job["result"]["output"] == to_jsonable_python(expected.output)
        found = apps[make.__name__].call("GET", f"/api/agent-jobs/{job['id']}/model-messages")["messages"]
        messages = ModelMessagesTypeAdapter.validate_python(found)
        assert comparable(messages) == comparable(expected.all_messages())
