"""Runs a job over fakes and exports it, as the API does."""

import json
from collections.abc import Callable
from typing import Any

from baton.sdk.agents.registry import Registry
from baton_local.replay.recorded import read_recording
from baton_local.replay.replaying import replay_now
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import api_of, with_keys

Meanwhile = Callable[[Stage, str], Any]


async def recorded(registry: Registry, agent: str, meanwhile: Meanwhile | None = None, **fields: Any) -> dict[str, Any]:
    """The document of a job of that agent.

    Args:
        registry: what runs.
        agent: the job's agent.
        meanwhile: called after each message with the stage and the job's id; what it returns is awaited.
        fields: more of the submission.
    """
    stage = Stage(settings=with_keys(), registry=registry)
    async with api_of(stage) as api:
        job_id = (await api.submitted(jobType=agent, taskDescription="do it", **fields))["id"]

        async def after_each() -> None:
            stage.clock.ms += 7  # so that no two things happen at the same time
            if meanwhile is not None:
                await meanwhile(stage, job_id)

        await stage.run(after_each)
        response = await api.request("GET", f"/api/agent-jobs/{job_id}/recording")
        assert response.status_code == 200, response.text
        document: dict[str, Any] = response.json()
    return document


def difference(document: dict[str, Any], registry: Registry) -> str:
    found = replay_now(read_recording(json.dumps(document), "the test's recording"), registry).difference
    return str(found) if found else ""
