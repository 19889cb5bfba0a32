"""Agents that pydantic-ai documents, in a process that dies at each kind of boundary of their pieces."""

from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from baton.settings.settings import settings_from_environment
from baton.store.records.jobs import Snapshot
from baton.store.redis.connection import RedisConnection
from baton.store.redis.reader import Reader
from baton_local.fixtures.agent_app import AgentApp
from baton_local.fixtures.servers import QStashServer, RedisServer
from tests.e2e.dying_runs import CASES
from tests.e2e.dying_store import PIECES
from tests.unit.baton.sdk.pydantic_ai.played import check_same

PATIENCE_SECONDS = 300
# Each piece is a message; it comes again once there is another process.
SETTINGS = {"CONTINUATION": "literal", "MESSAGE_RETRY_DELAY_MS": "3000", "WORK_TIMEOUT_SECONDS": "120"}


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


def die(
    module: str, folder: Path, settings: Mapping[str, str], asked: Mapping[tuple[str, str], tuple[str, Iterable[str]]]
) -> dict[tuple[str, str], str]:
    """Submit a job for each name and moment, whose process dies then, in each of these pieces; they have ended."""
    app: Any = AgentApp(f"tests.e2e.{module}:registry", Path.cwd(), folder, {**settings, "NOTES": str(folder)})
    app._command = (*app._command, "--target", f"tests.e2e.{module}:app")
    app.start()
    try:
        jobs = {key: app.submit(agent, "do it") for key, (agent, _) in asked.items()}
        plan = [f"{jobs[key]} {key[1]} {piece}" for key, (_, pieces) in asked.items() for piece in pieces]
        (folder / "plan").write_text("\n".join(plan))
        (folder / "died").touch()
        for job_id in jobs.values():
            wait(app, job_id)
    finally:
        app.stop()
    assert sorted((folder / "died").read_text().splitlines()) == sorted(plan)
    return jobs


async def ended(jobs: Mapping[tuple[str, str], str]) -> AsyncIterator[tuple[tuple[str, str], Snapshot, Any]]:
    connection = RedisConnection(settings_from_environment("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"))
    reader = Reader(connection)
    try:
        for key, job_id in jobs.items():
            snapshot = await reader.job(job_id)
            assert snapshot is not None
            yield key, snapshot, await reader.transcript(job_id)
    finally:
        await connection.close()


@pytest.mark.e2e
@pytest.mark.long
async def test_a_run_whose_process_dies_at_each_kind_of_boundary_is_as_a_run(
    qstash_server: QStashServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    """Before its commits in one job, after them in another one: of a turn, of a call, of what takes its result in."""
    expected = {name: await case.run() for name, case in CASES.items()}
    settings = {**qstash_server.env, **redis_server.env, **SETTINGS, "MAX_CONCURRENT_JOBS": "200"}
    asked = {(name, moment): name for name in CASES for moment in ("before", "after")}
    deaths = {
        name: dict.fromkeys(PIECES.values()) if run.usage.tool_calls else ["turn"] for name, run in expected.items()
    }
    jobs = die("dying_runs", tmp_path, settings, {key: (name, deaths[name]) for key, name in asked.items()})
    assert len(CASES) >= 80
    async for (name, _), snapshot, transcript in ended(jobs):
        check_same(snapshot, transcript, expected[name])
