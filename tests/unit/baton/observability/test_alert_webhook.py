"""Alerts by a webhook as Slack takes them."""

import json
import logging

import httpx
import pytest
import respx

from baton.engine.effects import Alert
from baton.observability.alert_webhook import WebhookAlerts
from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection

HOOK, REDIS = "https://hooks.example.com/services/secret-part", "https://redis.example.com"
ALERT, URL = Alert("job_1", "job job_1 failed: it broke", once="it broke"), "https://fn.example.com/console/jobs/1"


async def send(*sent: Alert, **limits: int) -> None:
    connection = RedisConnection(Settings(redis_url=REDIS, redis_token="token"))
    alerts = WebhookAlerts(HOOK, connection, **limits)
    for alert in sent:
        await alerts.send(alert, URL)
    await connection.close()


def remembers(mock: respx.MockRouter, *answers: object) -> respx.Route:
    return mock.post(REDIS).mock(side_effect=[httpx.Response(200, json={"result": answer}) for answer in answers])


async def test_an_alert_is_one_message_with_fields_for_programs(respx_mock: respx.MockRouter) -> None:
    remembers(respx_mock, "OK")
    hook = respx_mock.post(HOOK).respond(200, text="ok")
    await send(ALERT)
    assert json.loads(hook.calls.last.request.content) == {
        "text": "job job_1 failed: it broke https://fn.example.com/console/jobs/1",
        "kind": "job_failed",
        "jobId": "job_1",
        "url": "https://fn.example.com/console/jobs/1",
    }


async def test_what_was_sent_is_not_sent_again(respx_mock: respx.MockRouter) -> None:
    stored = remembers(respx_mock, "OK", None, "OK")
    hook = respx_mock.post(HOOK).respond(200)
    await send(ALERT, ALERT, Alert("job_1", "another", once="another"))
    assert hook.call_count == 2
    commands = [json.loads(call.request.content) for call in stored.calls]
    assert commands[0] == commands[1] != commands[2]
    assert commands[0][2:] == [1, "NX", "EX", 86_400]


async def test_the_first_of_counted_jobs_is_sent_until_their_time_is_over(respx_mock: respx.MockRouter) -> None:
    """Of an agent and a reason, whichever job it is."""
    stored = remembers(respx_mock, "OK", None, "OK")
    hook = respx_mock.post(HOOK).respond(200)
    failed = [Alert(f"job_{n}", f"job {n} failed", once="clerk:timeout", counted="x") for n in range(3)]
    await send(*failed, quiet_seconds=60)
    assert [json.loads(call.request.content)["jobId"] for call in hook.calls] == ["job_0", "job_2"]
    commands = [json.loads(call.request.content) for call in stored.calls]
    assert commands == [commands[0]] * 3
    assert commands[0][2:] == [1, "NX", "EX", 60]


async def test_an_alert_is_sent_where_the_store_does_not_answer(respx_mock: respx.MockRouter) -> None:
    """Twice is better than never."""
    respx_mock.post(REDIS).mock(side_effect=httpx.ConnectError("down"))
    hook = respx_mock.post(HOOK).respond(200)
    await send(ALERT)
    assert hook.called


@pytest.mark.parametrize(
    "answer",
    [
        {"return_value": httpx.Response(404)},
        {"return_value": httpx.Response(302, headers={"location": "https://elsewhere.example.com"})},
        {"side_effect": httpx.ConnectError("no route to secret-part")},
        {"side_effect": httpx.ReadTimeout("slow")},
    ],
    ids=str,
)
async def test_a_webhook_that_fails_harms_nothing(
    respx_mock: respx.MockRouter, answer: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is raised; the log says so, without the address, which is a secret."""
    caplog.set_level(logging.WARNING, "baton")
    remembers(respx_mock, "OK")
    respx_mock.post(HOOK).mock(**answer)  # type: ignore[arg-type] # one of its two keywords
    await send(ALERT)
    assert "ALERT_WEBHOOK_URL" in caplog.text
    assert "secret-part" not in caplog.text
