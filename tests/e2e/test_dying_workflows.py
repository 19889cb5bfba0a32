"""Eight programs of five peers in processes that are killed with -9, while they run and while they wait."""

import time
from pathlib import Path
from typing import Any

import pytest

from baton_local.fixtures.agent_app import AgentApp
from baton_local.fixtures.servers import QStashServer, RedisServer
from tests.e2e.dying_store import PIECES
from tests.e2e.dying_workflows import CASES
from tests.e2e.test_dying_runs import SETTINGS, wait

MOMENTS = ("before", "after")
CREATED = {"name": "app.post.created", "data": {}}


def _decide(app: AgentApp, job_id: str) -> None:
    """Approve what a job asks for, once it does."""
    asked = list[Any]()
    while not asked:
        time.sleep(0.1)
        asked = app.call("GET", f"/api/agent-jobs/{job_id}/checkpoints")["checkpoints"]
    app.call("POST", f"/api/admin/agent-checkpoints/{asked[0]['id']}", {})


@pytest.mark.e2e
@pytest.mark.long
def test_eight_ported_programs_outlive_their_processes(
    qstash_server: QStashServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    """Before their commits in one job, after them in another one; then while all of them wait or sleep."""
    settings = {**qstash_server.env, **redis_server.env, **SETTINGS, "NOTES": str(tmp_path)}
    app: Any = AgentApp("tests.e2e.dying_workflows:registry", Path.cwd(), tmp_path, settings)
    app._command = (*app._command, "--target", "tests.e2e.dying_workflows:app")
    app.start()
    try:
        jobs = {(name, moment): app.submit(name, "", case.given) for name, case in CASES.items() for moment in MOMENTS}
        plan = [f"{jobs[key]} {key[1]} {piece}" for key in jobs for piece in dict.fromkeys(PIECES.values())]
        (tmp_path / "plan").write_text("\n".join(plan))
        died = tmp_path / "died"
        died.touch()
        while sorted(died.read_text().splitlines()) != sorted(plan):
            if not app._answers():
                app.kill()
                app.start()
            time.sleep(0.1)
        app.kill()
        app.start()
        for moment in MOMENTS:
            _decide(app, jobs["expense", moment])
            app.call("POST", f"/api/agent-jobs/{jobs['onboarding', moment]}/events", CREATED)
        for job_id in jobs.values():
            wait(app, job_id)
        ended = {key: app.job(job_id) for key, job_id in jobs.items()}
    finally:
        app.stop()
    effects = [line.split(" ", 1) for line in (tmp_path / "effects").read_text().splitlines()]
    for (name, _), job in ended.items():
        case = CASES[name]
        output, done = ("active", ["welcome al"]) if name == "onboarding" else (case.output, case.done)
        assert (job["status"], (job["result"] or {}).get("output")) == ("completed", output), (name, job["error"])
        keys = {key: what for key, what in effects if key.startswith(job["id"])}
        assert sorted(keys.values()) == sorted(done), name
