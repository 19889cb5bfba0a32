"""One result of a tool call, whatever its size: as JSON, as bytes, a range of them, or a signed address."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.settings.settings import Settings
from baton.store.objects import Objects
from baton_events.errors import ObjectStoreError, PayloadGoneError
from tests.unit.baton.server.api.client import ADMIN, OTHER, Api, api_with, assert_problem
from tests.unit.baton.server.console.operator import operator_of

SIZE = 3_000_000
WHOLE = json.dumps("x" * SIZE).encode()


@tool
async def fetch(size: int) -> str:
    return "x" * size


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    model = ScriptedModel([[Call("fetch", {"size": SIZE}), Call("fetch", {"size": 10})], "done"])
    registry = Registry([Agent(name="large", model=model, tools=[fetch])])
    async with api_with(registry, object_store_url=f"file://{tmp_path}/objects") as made:
        yield made


async def ended(api: Api) -> tuple[dict[str, Any], dict[str, Any]]:
    """The ended job, and what its large call shows."""
    job_id = (await api.submitted(jobType="large"))["id"]
    await api.stage.run()
    job = (await api.request("GET", f"/api/agent-jobs/{job_id}")).json()
    return job, job["toolCalls"][0]["resultRef"]


async def read(api: Api, url: str, **headers: str) -> httpx.Response:
    return await api.request("GET", url, headers=headers)


async def test_it_is_read_whole_as_json_and_its_bytes_by_range_and_by_nobody_else(api: Api) -> None:
    """Small ones have bytes as well; a recording has what the model was given, and names the rest."""
    job, ref = await ended(api)
    assert {**ref, "digest": "", "preview": len(ref["preview"])} == {
        "url": f"/api/agent-jobs/{job['id']}/results/{job['toolCalls'][0]['id']}",
        "sizeBytes": SIZE + 2,
        "mediaType": "application/json",
        "digest": "",
        "preview": 2_000,
    }
    answer = await read(api, ref["url"])
    assert answer.json() == {"jobId": job["id"], "callId": job["toolCalls"][0]["id"], "result": "x" * SIZE}
    whole = await read(api, ref["url"], accept="application/octet-stream")
    assert (whole.status_code, whole.headers["content-type"], whole.content) == (200, "application/octet-stream", WHOLE)
    spans: Mapping[str, slice] = {
        "bytes=0-9": slice(0, 10),
        "bytes=2999990-": slice(2_999_990, None),
        "bytes=-5": slice(-5, None),
        "bytes=100-99999999": slice(100, None),
    }
    for given, span in spans.items():
        part = await read(api, ref["url"], range=given)
        assert (part.status_code, part.content) == (206, WHOLE[span])
        assert part.headers["content-range"].endswith(f"/{SIZE + 2}")
    url = ref["url"].replace(job["toolCalls"][0]["id"], job["toolCalls"][1]["id"])
    assert (await read(api, url, range="bytes=0-2")).content == b'"xx'
    assert_problem(await api.request("GET", ref["url"], key=OTHER), 403)
    recorded = (await read(api, f"/api/agent-jobs/{job['id']}/recording")).json()["job"]["toolCalls"]
    assert recorded[0]["resultRef"] == ref
    assert recorded[0]["result"]["preview"] == ref["preview"]
    assert recorded[1]["result"] == "x" * 10


@pytest.mark.parametrize(
    ("given", "status"), [("bytes=3000002-", 416), ("bytes=5-1", 416), ("bytes=0-1,3-4", 422), ("x", 422)]
)
async def test_a_range_that_is_none_of_it_is_refused(api: Api, given: str, status: int) -> None:
    _, ref = await ended(api)
    assert_problem(await read(api, ref["url"], range=given), status)


async def test_one_that_is_gone_is_410_and_the_rest_of_the_job_is_shown(api: Api, tmp_path: Path) -> None:
    job, ref = await ended(api)
    [path] = (tmp_path / "objects").rglob(ref["digest"])
    path.unlink()
    assert "is gone" in assert_problem(await read(api, ref["url"]), 410)
    assert (await read(api, f"/api/agent-jobs/{job['id']}")).json() == job


async def test_what_is_missing_or_damaged_is_counted(api: Api, tmp_path: Path) -> None:
    _, ref = await ended(api)
    [path] = (tmp_path / "objects").rglob(ref["digest"])
    objects, name = api.stage.ports.objects, str(path.relative_to(tmp_path / "objects"))
    for what, data in (("damaged", b"another"), ("missing", None)):
        text = (await api.request("GET", "/api/metrics", ADMIN)).text
        assert f'baton_payloads_gone_total{{what="{what}"}} 0.0' in text
        path.unlink() if data is None else path.write_bytes(data)
        with pytest.raises(PayloadGoneError):
            await objects.get(f"0/{name}")
        text = (await api.request("GET", "/api/metrics", ADMIN)).text
        assert f'baton_payloads_gone_total{{what="{what}"}} 1.0' in text


async def test_on_lambda_a_store_that_signs_gives_the_address(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    _, ref = await ended(api)
    monkeypatch.setattr(api.stage.container, "settings", Settings(lambda_runtime_api="127.0.0.1:1"))

    async def signed_url(_ref: str) -> str:
        return "https://bucket.example.com/signed"

    monkeypatch.setattr(api.stage.ports.objects, "signed_url", signed_url)
    answer = await read(api, ref["url"], accept="application/octet-stream")
    assert (answer.status_code, answer.headers["location"]) == (307, "https://bucket.example.com/signed")
    assert (await read(api, ref["url"], range="bytes=0-2")).status_code == 206
    assert (await read(api, ref["url"])).json()["result"] == "x" * SIZE


async def test_readiness_names_an_object_store_that_is_away_and_stays(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = await api.request("GET", "/readyz", "")
    assert (answer.status_code, answer.json()["objectStore"]) == (200, "ready")

    async def away(_self: Objects, _ref: str | None = None) -> bool:
        raise ObjectStoreError("the object store does not answer")

    monkeypatch.setattr(Objects, "has", away)
    answer = await api.request("GET", "/readyz", "")
    assert (answer.status_code, answer.json()["objectStore"]) == (200, "does not answer")


async def test_the_console_shows_size_and_beginning_and_gives_the_whole(api: Api) -> None:
    job, _ = await ended(api)
    call_id = job["toolCalls"][0]["id"]
    async with operator_of(api.stage) as operator:
        shown = await operator.see(f"/console/jobs/{job['id']}/calls/{call_id}")
        assert "3,000,002 bytes of application/json" in shown
        assert "xxxxxxxx" in shown
        answer = await operator.http.get(f"/console/jobs/{job['id']}/calls/{call_id}/result")
        assert (answer.status_code, answer.content) == (200, WHOLE)
        assert answer.headers["content-disposition"] == f'attachment; filename="{call_id}.json"'
        await operator.see(f"/console/jobs/{job['id']}/calls/{call_id}x/result", 404)
