"""What is posted to others: ended jobs to their `callbackUrl`, until it takes them, and notices of approvals."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from baton import Agent, Call, Limits, Registry, ScriptedModel, Step, ToolError, tool
from baton.settings.settings import Settings
from baton.worker.runtime.callbacks import HttpCallbacks
from tests.unit.baton.kit.approval_kit import checkpoints, decide, pending
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage
from tests.unit.baton.server.api.client import ACME, ADMIN, Api, api_of, assert_problem, with_keys

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


@pytest.mark.parametrize("retention_seconds", [1, 2_592_000])
async def test_what_is_not_taken_is_sent_again_for_a_day_with_one_id(retention_seconds: int) -> None:
    """However soon the job's data would be gone."""
    settings = replace(with_keys(), callback_key=SECRET, job_retention_seconds=retention_seconds)
    async with api_of(Stage(settings=settings, registry=Registry(AGENTS))) as api:
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
        assert "it answered 500" in stage.alerts.sent[-1].message
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
        *("https://a..b/", "https://.", f"https://{'a' * 64}.com/", "https://a%00b.com/"),
        *("https://\u2603.com/", "https://a;b.com/", "https://example.com/\u202e"),
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


async def test_a_callback_is_part_of_its_submission_and_needs_a_secret(api: Api) -> None:
    async with api_of(Stage(settings=with_keys())) as without:
        assert "CALLBACK_SECRET" in assert_problem(await without.submit(callbackUrl=URL), 422, "callbackUrl")
    assert (await api.submit(ACME, "k", callbackUrl=URL)).status_code == 202
    assert (await api.submit(ACME, "k", callbackUrl=URL)).status_code == 202
    assert_problem(await api.submit(ACME, "k"), 422)


async def test_a_name_that_leads_to_a_private_address_is_not_called() -> None:
    """It is looked at as it is connected to."""

    async def private(_host: str, _port: int) -> list[str]:
        return ["10.0.0.7"]

    assert "private address" in await HttpCallbacks(resolver=private).send("https://hooks.example.com/", {}, b"")


SLACK, TEAMS, PLAIN = "https://hooks.slack.com/services/x", "https://a.logic.azure.com/x", "https://example.com/x"
_HOUR = 3_600


@tool(requires_approval=True, approval={"title": "Refund <it>", "escalate_after_seconds": _HOUR})
async def refund(order_id: int, password: str = "") -> int:
    return order_id if password else 0


@tool(requires_approval=True, approval_people=2, approval={"escalate_after_seconds": _HOUR})
async def lend(amount: int) -> int:
    return amount


_PATIENT = Limits(wall_seconds=30 * 86_400)
_PAYS = ScriptedModel([[Call("refund", {"order_id": 7, "password": "open sesame"})], "done"])
_ASKING = [
    Agent(name="support", model=_PAYS, tools=[refund], limits=_PATIENT),
    Agent(name="lends", model=ScriptedModel([[Call("lend", {"amount": 5})], "done"]), tools=[lend], limits=_PATIENT),
    Agent(name="limited", model=_PAYS, tools=[refund], limits=Limits(turns=1, on_limit="ask")),
]


@asynccontextmanager
async def _asked(agent: str = "support", **settings: Any) -> AsyncIterator[tuple[Api, str]]:
    """A job that waits for a person, with these settings; its id."""
    made: Settings = replace(with_keys(SETTINGS), **settings)
    async with api_of(Stage(settings=made, registry=Registry(_ASKING))) as api:
        job_id = (await api.submitted(jobType=agent))["id"]
        await api.stage.run(within_seconds=60)
        yield api, job_id


def _sent(api: Api) -> list[tuple[str, dict[str, Any]]]:
    return [(url, json.loads(body)) for url, _, body in api.stage.callbacks.sent]


async def test_a_program_gets_json_signed_as_callbacks_are() -> None:
    async with _asked(approval_webhook_url=PLAIN, callback_key=SECRET) as (api, job_id):
        ((url, headers, body),) = api.stage.callbacks.sent
        content, (asked,) = json.loads(body), await pending(api, job_id)
        assert (url, content["type"]) == (PLAIN, "approval.asked")
        assert content["sentence"] == "support wants to run refund: order id 7"
        assert content["checkpoint"] == asked
        assert (content["jobId"], content["url"]) == (job_id, f"{BASE}/console/approvals/{asked['id']}")
        assert content["link"] == ""
        assert "open sesame" not in body.decode()
        assert headers["webhook-id"] == f"msg_{asked['id']}.asked"
        assert headers["webhook-signature"].startswith("v1,")


async def test_slack_and_teams_get_their_own_form_with_a_link_that_decides() -> None:
    async with _asked(approval_webhook_url=SLACK, approval_links=True) as (api, job_id):
        ((_, slack),) = _sent(api)
        assert slack["blocks"][0] == {
            "type": "header",
            "text": {"type": "plain_text", "text": "Refund <it>: order id 7"},
        }
        assert {block["type"] for block in slack["blocks"]} == {"header", "section", "context", "actions"}
        link = slack["blocks"][-1]["elements"][0]["url"]
        await api.http.post(f"{link.removeprefix(BASE)}/approve")
        assert (await checkpoints(api, job_id))[0]["decidedBy"] == "link:notice 1"
    async with _asked(approval_webhook_url=TEAMS) as (api, _):
        ((_, teams),) = _sent(api)
        card = teams["attachments"][0]["content"]
        assert (teams["type"], card["type"]) == ("message", "AdaptiveCard")
        assert card["body"][1]["inlines"][0]["text"] == "support wants to run refund: order id 7"
        assert [action["title"] for action in card["actions"]] == ["Open the console"]


async def test_nothing_is_published_where_nobody_is_to_be_told() -> None:
    for settings, messages in (({}, 0), ({"approval_webhook_url": PLAIN}, 2)):
        async with _asked(**settings) as (api, _):
            bodies = [message.body for _, message in api.stage.queue.published]
            assert sum('"announces"' in body for body in bodies) == messages  # the notice, and the later one


async def test_a_question_about_a_limit_is_announced_too() -> None:
    async with _asked("limited", approval_webhook_url=PLAIN) as (api, job_id):
        for _ in range(2):
            if found := await pending(api, job_id):
                await decide(api, found[0])
                await api.stage.run(within_seconds=60)
        assert "limited wants to continue beyond its limit of 1 turns" in [body["sentence"] for _, body in _sent(api)]


async def test_a_webhook_that_fails_is_tried_again_and_harms_nothing() -> None:
    """The same notice, until it is taken; none of what was decided meanwhile."""
    async with _asked(approval_webhook_url=PLAIN) as (api, job_id):
        api.stage.callbacks.refusals += ["it answered 500"] * 99
        other = (await api.submitted(jobType="support"))["id"]
        await api.stage.run(within_seconds=30)
        assert len(_sent(api)) > 2
        (asked,) = await pending(api, other)
        assert (await decide(api, asked)).status_code == 200
        await api.stage.run(within_seconds=60)
        tried = len(_sent(api))
        await api.stage.run(within_seconds=600)
        assert len(_sent(api)) == tried
        assert (await api.read(other))["status"] == "completed"
        assert (await api.read(job_id))["status"] == "waiting"


async def test_what_nobody_decides_in_time_is_escalated_once() -> None:
    async with _asked(approval_webhook_url=f"{PLAIN},{SLACK}") as (api, job_id):
        (asked,) = await pending(api, job_id)
        assert "escalatedAt" not in asked
        other = (await api.submitted(jobType="support"))["id"]
        await api.stage.run(within_seconds=60)
        await decide(api, (await pending(api, other))[0], "DELETE", reason="no")
        await api.stage.run(within_seconds=2 * _HOUR)
        assert [url for url, _ in _sent(api)] == [PLAIN, PLAIN, SLACK]
        assert _sent(api)[2][1]["blocks"][0]["text"]["text"] == "Still waiting: Refund <it>: order id 7"
        listed = (await api.request("GET", "/api/admin/agent-checkpoints", ADMIN)).json()["checkpoints"]
        assert [one["escalatedAt"] for one in listed] == [asked["escalatesAt"]]
        assert "escalatedAt" not in (await checkpoints(api, other))[0]


async def test_a_second_person_is_told_and_the_escalation_stays_one() -> None:
    """Whoever approves first after it: the other question says when it was."""
    async with _asked("lends", approval_webhook_url=f"{PLAIN},{SLACK}") as (api, job_id):
        await api.stage.run(within_seconds=2 * _HOUR)
        (first,) = await pending(api, job_id)
        await decide(api, first)
        await api.stage.run(within_seconds=2 * _HOUR)
        assert [url for url, _ in _sent(api)] == [PLAIN, SLACK, PLAIN]
        (second,) = await pending(api, job_id)
        assert second["escalatedAt"] == first["escalatedAt"]


async def test_each_notice_has_the_link_of_one_person() -> None:
    async with _asked("lends", approval_webhook_url=PLAIN, approval_links=True) as (api, job_id):
        for _ in range(2):
            link = _sent(api)[-1][1]["link"]
            assert (await api.http.post(f"{link.removeprefix(BASE)}/approve")).status_code == 200
            await api.stage.run(within_seconds=60)
        assert (await api.read(job_id))["status"] == "completed"
        decided = [one["decidedBy"] for one in await checkpoints(api, job_id)]
        assert decided == ["link:notice 1", "link:notice 2"]
