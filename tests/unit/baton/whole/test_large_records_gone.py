"""Large records go with their job, wherever its processes died, and show nothing while payloads are sealed."""

from pathlib import Path
from typing import Any

import pytest

from baton import Agent, Call, Registry, ScriptedModel
from baton.worker import payloads
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import Api, api_of, with_keys
from tests.unit.baton.whole.test_large_records import BIG, Writes, ask, note
from tests.unit.baton.whole.test_sealed import K1

CANARY = "canary-in-a-coal-mine"


def made(tmp_path: Path, payload_keys: str = "") -> Stage:
    agents = [
        Agent(name="child", model=ScriptedModel([CANARY * 5_000])),
        Agent(name="parent", model=ScriptedModel([[Call("ask", {"agent": "child"})], CANARY * 5_000]), tools=[ask]),
        Agent(name="writes", model=Writes(text=CANARY * 5_000), tools=[note]),
    ]
    settings = with_keys(object_store_url=f"file://{tmp_path}/objects", payload_keys=payload_keys)
    return Stage(settings=settings, registry=Registry(agents))


def there(tmp_path: Path) -> list[bytes]:
    return [path.read_bytes() for path in (tmp_path / "objects").rglob("*") if path.is_file()]


async def ended(api: Api, agent: str) -> dict[str, Any]:
    job_id = (await api.submitted(jobType=agent, taskDescription=BIG))["id"]
    await api.stage.run()
    job = await api.read(job_id)
    assert job["status"] == "completed"
    return job


@pytest.mark.parametrize("agent", ["parent", "writes"])
async def test_no_object_stays_of_a_deleted_job(tmp_path: Path, agent: str) -> None:
    async with api_of(made(tmp_path)) as api:
        job = await ended(api, agent)
        assert len(there(tmp_path)) >= 3
        assert (await api.request("DELETE", f"/api/agent-jobs/{job['id']}")).status_code == 204
    assert there(tmp_path) == []


async def test_an_object_that_a_dead_process_has_written_goes_with_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt writes another content, and dies before its commit."""
    stored, deaths = payloads.stored, [3]

    async def dies(kept: payloads.Payloads, job: Any, changes: Any, outcome: str = "") -> Any:
        new = await stored(kept, job, changes, outcome)
        if deaths[0] and new is not changes:
            deaths[0] -= 1
            await payloads.Leaving(kept, job).there(BIG + str(deaths[0]))
            raise ConnectionError("the process dies")
        return new

    monkeypatch.setattr(payloads, "stored", dies)
    async with api_of(made(tmp_path)) as api:
        job_id = (await api.submitted(jobType="writes"))["id"]
        for _ in range(3):
            with pytest.raises(ConnectionError):
                await api.stage.run()
            api.stage.clock.ms += 600_000
            await api.stage.swept()
        await api.stage.run()
        assert (await api.read(job_id))["status"] == "completed"
        assert [data for data in there(tmp_path) if data.startswith(BIG.encode())]
        assert (await api.request("DELETE", f"/api/agent-jobs/{job_id}")).status_code == 204
    assert there(tmp_path) == []


@pytest.mark.parametrize("payload_keys", ["", K1])
async def test_no_object_shows_a_text_while_payloads_are_sealed(tmp_path: Path, payload_keys: str) -> None:
    """The same scan finds each without keys."""
    async with api_of(made(tmp_path, payload_keys)) as api:
        for agent in ("parent", "writes"):
            await ended(api, agent)
        assert (await ended(api, "child"))["result"] == {"answer": CANARY * 5_000}
    seen = [CANARY.encode() in data for data in there(tmp_path) if BIG.encode() not in data]
    assert len(seen) >= 4
    assert set(seen) == {not payload_keys} or (not payload_keys and any(seen))
