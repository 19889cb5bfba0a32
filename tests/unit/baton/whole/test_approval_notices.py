"""People are told of an approval: once, in the form of their webhook, and never to the harm of the job."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from baton import Agent, Call, Limits, Registry, ScriptedModel, tool
from baton.settings.settings import Settings
from tests.unit.baton.api.client import ADMIN, Api, api_of, with_keys
from tests.unit.baton.kit.approval_kit import checkpoints, decide, pending
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage

SLACK, TEAMS, PLAIN = "https://hooks.slack.com/services/x", "https://a.logic.azure.com/x", "https://example.com/x"
_HOUR = 3_600


@tool(requires_approval=True, approval_title="Refund <it>", escalate_after_seconds=_HOUR)
async def refund(order_id: int, password: str = "") -> int:
    return order_id if password else 0


@tool(requires_approval=True, approval_people=2, escalate_after_seconds=_HOUR)
async def lend(amount: int) -> int:
    return amount


@asynccontextmanager
async def _asked(agent: str = "support", **settings: Any) -> AsyncIterator[tuple[Api, str]]:
    calls = [Call("refund", {"order_id": 7, "password": "open sesame"})]
    patient = Limits(wall_seconds=30 * 86_400)
    registry = Registry(
        [
            Agent(name="support", model=ScriptedModel([calls, "done"]), tools=[refund], limits=patient),
            Agent(
                name="lends", model=ScriptedModel([[Call("lend", {"amount": 5})], "done"]), tools=[lend], limits=patient
            ),
            Agent(
                name="limited",
                model=ScriptedModel([calls, "done"]),
                tools=[refund],
                limits=Limits(turns=1, on_limit="ask"),
            ),
        ]
    )
    made: Settings = replace(with_keys(SETTINGS), **settings)
    async with api_of(Stage(settings=made, registry=registry)) as api:
        job_id = (await api.submitted(jobType=agent))["id"]
        await api.stage.run(within_seconds=60)
        yield api, job_id


def _sent(api: Api) -> list[tuple[str, dict[str, Any]]]:
    return [(url, json.loads(body)) for url, _, body in api.stage.callbacks.sent]


async def test_a_program_gets_json_signed_as_callbacks_are() -> None:
    async with _asked(approval_webhook_url=PLAIN, callback_key="whsec_c2VjcmV0") as (api, job_id):
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
        assert slack["blocks"][0] == {"type": "header", "text": {"type": "plain_text", "text": "Refund <it>"}}
        assert {block["type"] for block in slack["blocks"]} == {"header", "section", "context", "actions"}
        link = slack["blocks"][-1]["elements"][0]["url"]
        await api.http.post(f"{link.removeprefix(BASE)}/approve")
        assert (await checkpoints(api, job_id))[0]["decidedBy"] == "link"
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
    async with _asked(approval_webhook_url=PLAIN, approval_escalation_url=SLACK) as (api, job_id):
        (asked,) = await pending(api, job_id)
        assert "escalatedAt" not in asked
        other = (await api.submitted(jobType="support"))["id"]
        await api.stage.run(within_seconds=60)
        await decide(api, (await pending(api, other))[0], "DELETE", reason="no")
        await api.stage.run(within_seconds=2 * _HOUR)
        assert [url for url, _ in _sent(api)] == [PLAIN, PLAIN, SLACK]
        assert _sent(api)[2][1]["blocks"][0]["text"]["text"] == "Still waiting: Refund <it>"
        listed = (await api.request("GET", "/api/admin/agent-checkpoints", ADMIN)).json()["checkpoints"]
        assert [one["escalatedAt"] for one in listed] == [asked["escalatesAt"]]
        assert "escalatedAt" not in (await checkpoints(api, other))[0]


async def test_a_second_person_is_told_and_the_escalation_stays_one() -> None:
    """Whoever approves first after it: the other question says when it was."""
    async with _asked("lends", approval_webhook_url=PLAIN, approval_escalation_url=SLACK) as (api, job_id):
        await api.stage.run(within_seconds=2 * _HOUR)
        (first,) = await pending(api, job_id)
        await decide(api, first)
        await api.stage.run(within_seconds=2 * _HOUR)
        assert [url for url, _ in _sent(api)] == [PLAIN, SLACK, PLAIN]
        (second,) = await pending(api, job_id)
        assert second["escalatedAt"] == first["escalatedAt"]
