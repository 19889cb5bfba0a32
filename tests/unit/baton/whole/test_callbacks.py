"""`callbackUrl`: one signed POST of the ended job, tried again until it is taken, for a day."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from baton import Agent, Registry, ScriptedModel, Step, ToolError, tool
from baton.runtime.callbacks import HttpCallbacks
from tests.unit.baton.api.client import ACME, Api, api_of, assert_problem, with_keys
from tests.unit.baton.kit.stage import SETTINGS, Stage

KEY = b"a secret of 24 bytes at least"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
URL = "https://hooks.example.com/done?of=acme"


@tool
def broken() -> None:
    raise ToolError("it broke")


AGENTS = [Agent(name="answers", model=ScriptedModel(["done"])), Agent(name="breaks", plan=[Step("a", broken)])]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    settings = replace(with_keys(), callback_key=SECRET)
    async with api_of(Stage(settings=settings, registry=Registry(AGENTS))) as made:
        yield made


def is_signed(headers: dict[str, str], body: bytes) -> bool:
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(KEY, content, hashlib.sha256).digest()
    return headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_an_ended_job_is_sent_once_and_signed(api: Api, status: str) -> None:
    stage, agent = api.stage, "breaks" if status == "failed" else "answers"
    job_id = (await api.submitted(callbackUrl=URL, jobType=agent))["id"]
    if status == "cancelled":
        await api.request("PATCH", f"/api/agent-jobs/{job_id}", json={"action": "cancel"})
    await stage.run()
    ((url, headers, body),) = stage.callbacks.sent
    assert (url, is_signed(headers, body)) == (URL, True)
    job = json.loads(body)
    assert (job["id"], job["status"], job["error"]) == (job_id, status, (await api.read(job_id))["error"])


async def test_what_is_not_taken_is_sent_again_for_a_day_with_one_id(api: Api) -> None:
    stage = api.stage
    stage.callbacks.refusals = ["it answered 500"] * 100
    job_id, began_ms = (await api.submitted(callbackUrl=URL))["id"], stage.clock.now_ms()
    await stage.run()
    sent = stage.callbacks.sent
    assert {headers["webhook-id"] for _, headers, _ in sent} == {f"msg_{job_id}.1"}
    assert all(is_signed(headers, body) for _, headers, body in sent)
    times = [int(headers["webhook-timestamp"]) for _, headers, _ in sent]
    assert len(set(times)) == len(sent)
    assert 86_400 <= times[-1] - began_ms // 1000 <= 90_000
    assert "it answered 500" in stage.alerts.sent[-1].text
    assert (await api.read(job_id))["status"] == "completed"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com",
        "https://",
        "http://example.com/a",
        "https://user:word@example.com",
        "https://10.0.0.7/a",
        "https://[fd00::1]/a",
        "https://169.254.169.254/latest",
        "https://2130706433/",
        "https://example.com:0/",
        f"https://example.com/{'a' * 2_000}",
    ],
)
async def test_no_other_address_is_taken(api: Api, url: str) -> None:
    assert_problem(await api.submit(callbackUrl=url), 422, "callbackUrl")
    assert api.stage.queue.published == []


@pytest.mark.parametrize(("base_url", "status"), [("http://127.0.0.1:8090", 202), (SETTINGS.worker_base_url, 422)])
async def test_this_machine_is_called_by_a_deployment_on_it_alone(base_url: str, status: int) -> None:
    """A function's own host has ports that nobody else is to reach."""
    settings = replace(with_keys(), callback_key=SECRET, worker_base_url=base_url)
    async with api_of(Stage(settings=settings, registry=Registry(AGENTS))) as api:
        assert (await api.submit(callbackUrl="http://127.0.0.1:8080/done")).status_code == status
    sent = await HttpCallbacks(base_url).send("http://127.0.0.1:1/", {}, b"")
    assert ("private address" in sent) == (status != 202)


async def test_without_a_secret_no_callback_is_promised() -> None:
    async with api_of(Stage(settings=with_keys())) as api:
        assert "CALLBACK_SECRET" in assert_problem(await api.submit(callbackUrl=URL), 422, "callbackUrl")


async def test_a_submission_with_another_callback_is_another_one(api: Api) -> None:
    assert (await api.submit(ACME, "k", callbackUrl=URL)).status_code == 202
    assert (await api.submit(ACME, "k", callbackUrl=URL)).status_code == 202
    assert_problem(await api.submit(ACME, "k"), 422)


async def test_a_name_that_leads_to_a_private_address_is_not_called() -> None:
    """It is looked at as it is connected to."""

    async def private(_host: str, _port: int) -> list[str]:
        return ["10.0.0.7"]

    assert "private address" in await HttpCallbacks(resolver=private).send("https://hooks.example.com/", {}, b"")
