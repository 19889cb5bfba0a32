"""What a session has can be deleted by the session's id, whether or not there are jobs of it any more."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from baton import Agent, Call, Registry, ScriptedModel, ToolContext, tool
from baton_events.errors import StoreError
from tests.unit.baton.kit.faults import fail
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.sdk.memory.sample_entries import an_entry
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, Api, api_of, assert_problem, with_keys

PDF = b"%PDF-" + b"x" * 20_000


@tool
async def keep(ctx: ToolContext) -> str:
    await ctx.keep_file(PDF, "application/pdf")
    return "kept"


@pytest.fixture(params=["in the store", "as an object"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    apart: dict[str, Any] = {"object_store_url": f"file://{tmp_path}/objects", "object_from_bytes": 1_000}
    settings = with_keys(bytes_kept_per_tenant=10_000_000, **(apart if request.param == "as an object" else {}))
    stage = Stage(
        settings=settings, registry=Registry([Agent("keeper", ScriptedModel([[Call("keep")], "done"]), tools=[keep])])
    )
    async with api_of(stage) as served:
        yield served


async def kept(api: Api, tmp_path: Path) -> int:
    """About how many bytes of files are stored."""
    files = (path for path in (tmp_path / "objects").rglob("*") if path.is_file())
    values = api.stage.redis.data.values.items()
    return sum(path.stat().st_size for path in files) + sum(len(str(value)) for key, value in values if "files" in key)


async def ended(api: Api) -> str:
    job = await api.submitted(jobType="keeper", taskDescription="x", sessionId="s")
    await api.stage.run()
    assert (await api.read(job["id"]))["status"] == "completed"
    return str(job["id"])


async def delete(api: Api, key: str = ACME) -> int:
    return (await api.request("DELETE", "/api/sessions/s", key)).status_code


@pytest.mark.parametrize("order", ["session", "job, session", "session, job", "failure, session", "expiry, session"])
async def test_a_file_goes_with_its_session_in_any_order(api: Api, tmp_path: Path, order: str) -> None:
    job_id = await ended(api)
    assert await kept(api, tmp_path) > len(PDF)
    for what in order.split(", "):
        if what == "job":
            assert (await api.request("DELETE", f"/api/agent-jobs/{job_id}")).status_code in (204, 410)
        elif what == "expiry":
            api.stage.redis.forget(f"baton:{{{job_id}}}", "baton:list", "baton:{list")
        elif what == "failure":
            fail(api.stage.ports.chats._redis, "execute", StoreError("no answer"), applied=True)
            assert await delete(api) == 503
        else:
            assert await delete(api, OTHER) == 404
            assert await delete(api) == 204
    assert await kept(api, tmp_path) < 1_000
    assert await delete(api) == 404
    assert_problem(await api.request("GET", "/api/sessions/s"), 404)


async def test_a_session_that_has_files_alone_is_shown(api: Api) -> None:
    job_id = await ended(api)
    assert (await api.request("DELETE", f"/api/agent-jobs/{job_id}")).status_code == 204
    assert (await api.request("GET", "/api/sessions/s")).json()["messages"] == []
    assert_problem(await api.request("GET", "/api/sessions/s", OTHER), 404)


@pytest.mark.parametrize("what", ["memory", "note"])
async def test_whatever_a_session_has_makes_it_known_to_who_deletes_it(api: Api, what: str) -> None:
    if what == "memory":
        await api.stage.container.memory.store("acme", an_entry("told", session="s"))
    else:
        await api.stage.ports.chats.note_session("acme", "s", api.stage.clock.ms)
    assert await delete(api, OTHER) == 404
    assert await delete(api) == 204
    assert not await api.stage.container.memory.recent("acme", "s")
    assert await delete(api) == 404


async def test_what_a_persons_job_has_kept_is_never_out_of_reach_of_an_erasure(api: Api, tmp_path: Path) -> None:
    """The last job of a session, by which alone the person is found, takes its files along; one before it does not."""
    person = {"jobType": "keeper", "taskDescription": "x", "sessionId": "s", "subjectId": "anna"}
    jobs = [await api.submitted(**person) for _ in range(2)]
    await api.submitted(OTHER, **person)
    await api.stage.run()
    before = await kept(api, tmp_path)
    for job, share in zip(jobs, (1, 2), strict=True):
        assert (await api.request("DELETE", f"/api/agent-jobs/{job['id']}")).status_code == 204
        assert abs(await kept(api, tmp_path) - before / share) < 1_000
    erased = await api.request("DELETE", "/api/admin/subjects/anna?tenant=acme", ADMIN)
    assert (erased.json()["jobs"], await delete(api)) == (0, 404)
    assert await delete(api, OTHER) == 204
    assert await kept(api, tmp_path) < 1_000
