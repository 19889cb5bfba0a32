"""Agents that pydantic-ai documents, in a process that dies at each kind of boundary of their pieces."""

from pathlib import Path
from typing import Any

import pytest

from baton.settings.settings import settings_from_environment
from baton.store.redis.connection import RedisConnection
from baton.store.redis.reader import Reader
from baton_local.fixtures.agent_app import AgentApp
from baton_local.fixtures.servers import QStashServer, RedisServer
from tests.e2e.dying_runs import CASES
from tests.e2e.dying_store import PIECES
from tests.unit.baton.sdk.pydantic_ai.played import check_same

PATIENCE_SECONDS = 300
# Each piece is a message; it comes again once there is another process.
SETTINGS = {"CONTINUATION": "queue", "MESSAGE_RETRY_DELAY_MS": "3000", "WORK_TIMEOUT_SECONDS": "120"}


def wait(app: AgentApp, job_id: str) -> None:
    """Wait for a job's end; a process that has died is started again."""
    while True:
        try:
            app.wait(job_id, limit_seconds=PATIENCE_SECONDS)
        except OSError:
            app.kill()
            app.start()
        else:
            return


@pytest.mark.e2e
@pytest.mark.long
async def test_a_run_whose_process_dies_at_each_kind_of_boundary_is_as_a_run(
    qstash_server: QStashServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    """Before its commits in one job, after them in another one: of a turn, of a call, of what takes its result in."""
    expected = {name: await case.run() for name, case in CASES.items()}
    settings = {**qstash_server.env, **redis_server.env, **SETTINGS, "MAX_CONCURRENT_JOBS": "200"}
    app: Any = AgentApp("tests.e2e.dying_runs:registry", Path.cwd(), tmp_path, {**settings, "NOTES": str(tmp_path)})
    app._command = (*app._command, "--target", "tests.e2e.dying_runs:app")
    app.start()
    try:
        jobs = {(name, moment): app.submit(name, "do it") for name in CASES for moment in ("before", "after")}
        plan = [
            f"{job_id} {moment} {piece}"
            for (name, moment), job_id in jobs.items()
            for piece in (dict.fromkeys(PIECES.values()) if expected[name].usage.tool_calls else ["turn"])
        ]
        (tmp_path / "plan").write_text("\n".join(plan))
        (tmp_path / "died").touch()
        for job_id in jobs.values():
            wait(app, job_id)
    finally:
        app.stop()
    assert len(CASES) >= 40
    assert sorted((tmp_path / "died").read_text().splitlines()) == sorted(plan)
    connection = RedisConnection(settings_from_environment("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"))
    reader = Reader(connection)
    try:
        for (name, _), job_id in jobs.items():
            snapshot = await reader.job(job_id)
            assert snapshot is not None
            check_same(snapshot, await reader.transcript(job_id), expected[name])
    finally:
        await connection.close()
