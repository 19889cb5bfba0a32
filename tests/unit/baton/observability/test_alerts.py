"""Who is told of what needs a person: once, without secrets, with a link."""

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from msgspec import structs

from baton import Agent, Call, Limits, Registry, ScriptedModel, Step, tool
from baton.engine.effects import AlertKind
from baton.engine.lifecycle import UNDELIVERED_BUDGET
from baton.sdk.models.model import ModelError
from baton.worker.commands.after_failover import PATIENCE_MS
from baton_events.schema import Cancellation, LoopPayload, encode_event
from baton_events.timestamps import milliseconds
from tests.unit.baton.kit.giving_up import SECRET, callback, encoded, give_up
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage
from tests.unit.baton.server.api.client import api_of


async def test_one_alert_for_an_event_that_is_not_delivered_and_one_for_the_job_that_fails() -> None:
    """Without secrets, with a link; a work item that fails again is not told of again."""
    stage = Stage()
    event = await stage.submit()
    for number in range(UNDELIVERED_BUDGET + 1):
        await give_up(stage, event, f"cb{number}", body=encoded(b"it said " + SECRET.encode()))
    first, last = stage.alerts.sent
    assert (first.kind, first.job_id, stage.alerts.urls[0]) == ("undelivered", "job_1", f"{BASE}/console/jobs/job_1")
    assert "the queue gave up on agent.loop.init, which is replayed" in first.message
    assert "the endpoint answered 500 it said [redacted]" in first.message
    assert (last.kind, last.job_id) == ("job_failed", "job_1")
    assert SECRET not in last.message


async def test_a_command_that_is_dropped_is_reported() -> None:
    """Nobody knows its job, after a quarter of an hour."""
    stage, other = Stage(), Stage()
    await other.submit()
    backup = other.events()[0]
    stage.clock.ms = milliseconds(backup.created_at) + PATIENCE_MS + 1
    event = structs.replace(backup, payload=LoopPayload(turn=1, command=Cancellation(by="x")))
    await give_up(stage, event, "cb1")
    assert [notice.kind for notice in stage.alerts.sent] == ["fact_dropped"]


async def test_a_callback_of_the_queue_reaches_a_person_and_is_counted() -> None:
    """Over HTTP, as the queue tells it: the last try of an event fails its job."""
    stage = Stage()
    event = await stage.submit()
    headers = {"upstash-signature": "x", "upstash-retried": "0"}
    async with api_of(stage) as api:
        for number in range(UNDELIVERED_BUDGET + 1):
            found = callback(encode_event(event).encode())
            answer = await api.http.post(
                "/workers/delivery-failed", content=found, headers={**headers, "upstash-message-id": f"cb{number}"}
            )
            assert answer.status_code == 200, answer.text
    assert [(notice.kind, notice.job_id) for notice in stage.alerts.sent] == [
        ("undelivered", "job_1"),
        ("job_failed", "job_1"),
    ]
    assert (await stage.snapshot()).job.status == "failed"
    assert stage.redis.sums["undelivered:agent.loop.init"] == UNDELIVERED_BUDGET + 1


@tool(retries=0)
async def refuse() -> None:
    raise LookupError("not here")


async def test_a_job_that_fails_raises_an_alert_and_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """By its model, a tool or a limit; it names the agent and the reason, and hides what is secret."""
    registry = Registry(
        [
            Agent("by-model", ScriptedModel([ModelError(f"no: {SECRET}", retryable=False)])),
            Agent("by-limit", ScriptedModel([[Call("refuse")]] * 2), tools=[refuse]),
            Agent("by-tool", plan=[Step("one", refuse)]),
        ]
    )
    stage = Stage(registry=registry, settings=replace(SETTINGS, callback_key=SECRET))
    for name, limits in (("by-model", Limits()), ("by-tool", Limits()), ("by-limit", Limits(turns=1, on_limit="fail"))):
        job = structs.replace(stage.job(name, f"job_{name}"), limits=limits)
        await stage.container.commands.submit(job, {"text": "x", "data": {}})
    await stage.run()
    sent = {notice.job_id: notice for notice in stage.alerts.sent}
    assert {job_id: notice.once for job_id, notice in sent.items()} == {
        "job_by-model": "by-model:model_error",
        "job_by-limit": "by-limit:limit_exceeded",
        "job_by-tool": "by-tool:step_failed",
    }
    assert all(notice.counted and notice.kind == "job_failed" for notice in sent.values())
    assert "job job_by-model failed: model_error: no: [redacted] (agent 'by-model')" in caplog.text
    assert SECRET not in caplog.text


def test_each_kind_is_in_the_operations_guide() -> None:
    page = (Path(__file__).parents[4] / "docs/operations.md").read_text(encoding="utf-8")
    table = page.partition("| `kind` | when |")[2].partition("## Logs")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(get_args(AlertKind))
