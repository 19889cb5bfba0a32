"""The clients against the OpenAPI document: each operation has a method that sends all it takes and reads all of it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from baton.client import AsyncBatonClient, BatonClient, results
from baton.client.results import Checkpoint
from tests.unit.baton.client.described import (
    EXPECTED,
    NOT_SENT,
    OF_ANOTHER_ACTION,
    SCHEMAS,
    body_fields,
    of,
    operation_at,
    query_fields,
)
from tests.unit.baton.client.described import sample as sample_of

NOW = datetime(2026, 5, 1, tzinfo=UTC)
APPROVAL = Checkpoint(id="op_1", job_id="job_1", type="approval", status="pending", title="?", digest="d")
JOB: dict[str, Any] = {"input_data": {"a": 1}, "session": "s", "priority": 3, "tags": ["t"], "subject_id": "u"}
ONCE: dict[str, Any] = {"once_for": "o", "once_for_seconds": 60}

# A call of each method, with all of its arguments.
CALLS: dict[str, Callable[[BatonClient], Any]] = {
    "submit": lambda c: c.submit(
        "a",
        "t",
        **JOB,
        **ONCE,
        delay_seconds=1,
        start_at=NOW,
        when_busy="queue",
        callback_url="https://x",
        idempotency_key="k",
    ),
    "get": lambda c: c.get("j", steps=True),
    "jobs": lambda c: list(
        c.jobs(
            status="failed",
            agent="a",
            session="s",
            tags=["t", "u"],
            search="rain",
            created_after=NOW,
            created_before=NOW,
            parent="p",
            tenant="t",
        )
    ),
    "wait": lambda c: c.wait("j", 0),
    "stream": lambda c: list(c.stream("j", after="1-2")),
    "cancel": lambda c: c.cancel("j"),
    "retry": lambda c: c.retry("j", "start"),
    "delete": lambda c: c.delete("j"),
    "fork": lambda c: c.fork("j", 1, edits={"model": "m"}, tools_run="again", idempotency_key="k"),
    "diff": lambda c: c.diff("j", "o"),
    "result": lambda c: c.result("j", "c"),
    "recording": lambda c: c.recording("j"),
    "model_messages": lambda c: c.model_messages("j"),
    "score": lambda c: c.score("j", "useful", value=True, comment="fine"),
    "checkpoints": lambda c: c.checkpoints("j"),
    "approvals": lambda c: list(c.approvals("approved")),
    "approve": lambda c: c.approve(APPROVAL, arguments={"a": 1}, comment="fine"),
    "reject": lambda c: c.reject(APPROVAL, "no"),
    "approval_link": lambda c: c.approval_link(APPROVAL, name="Ada", may=["reject"], edit=True, expires_in_seconds=60),
    "send_event": lambda c: c.send_event("j", "paid", {"a": 1}),
    "emit": lambda c: c.emit("order.created", {"a": 1}, key="A-7", idempotency_key="k", subject_id="u", **ONCE),
    "event": lambda c: c.event("evt_1"),
    "operation": lambda c: c.operation("op_1"),
    "complete_operation": lambda c: c.complete_operation("op_1", 1, error="no"),
    "create_schedule": lambda c: c.create_schedule("a", "t", cron="0 9 * * *", **JOB, idempotency_key="k"),
    "schedules": lambda c: c.schedules(),
    "schedule": lambda c: c.schedule("sch_1"),
    "change_schedule": lambda c: c.change_schedule("sch_1", paused=False, run_now=True),
    "delete_schedule": lambda c: c.delete_schedule("sch_1"),
    "chat": lambda c: list(c.chat("s", "hello", agent="a", message_id="m", when_busy="steer", subject_id="u")),
    "resume_chat": lambda c: list(c.resume_chat("s", tenant="t")),
    "session": lambda c: c.session("s", limit=1, cursor="c", tenant="t"),
    "cancel_session": lambda c: c.cancel_session("s"),
    "delete_session": lambda c: c.delete_session("s"),
    "forget_session": lambda c: c.forget_session("s"),
    "erase_subject": lambda c: c.erase_subject("u-1", tenant="t"),
    "session_file": lambda c: c.session_file("s", "f"),
    "stream_token": lambda c: c.stream_token(job="j", session="s"),
    "budgets": lambda c: list(c.budgets("acme")),
    "set_budget": lambda c: c.set_budget("acme", "day", 2.5, unit="usd", every=True),
    "clear_budget": lambda c: c.clear_budget("acme", "day"),
}
UNDESCRIBED = {"id": "evt_1", "result": 1, "status": "completed", "jobId": "job_1"}


class Documented:
    """A transport that answers as the document says, and notes what it was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, httpx.Request]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        operation = operation_at(request.method, request.url.path)
        self.sent.append((operation, request))
        status, answer = next(iter(of(operation)["responses"].items()))
        content = answer.get("content", {})
        if "application/json" not in content:
            headers = {"content-type": next(iter(content), "")}
            return httpx.Response(int(status), headers=headers, content=b"data: [DONE]\n\n" if content else b"")
        value = sample_of(content["application/json"]["schema"], whole=True)
        value.pop("cursor", None)
        if "jobs" in value:
            value["jobs"] = [sample_of(SCHEMAS["Job"], whole=False)]
        ended = {"status": "completed"} if "toolCalls" in value else {}
        return httpx.Response(int(status), json=(value or UNDESCRIBED) | ended)


def _sent_by(name: str) -> list[tuple[str, httpx.Request]]:
    transport = Documented()
    with BatonClient("http://x", "k", transport=httpx.MockTransport(transport)) as client:
        CALLS[name](client)
    return transport.sent


def test_both_clients_have_a_method_for_every_operation_of_a_client_key() -> None:
    """`described.py` names what is left out, with a reason."""
    for client in (BatonClient, AsyncBatonClient):
        assert {name for name in dir(client) if name[0] != "_"} - {"close", "request"} == set(CALLS)
    assert {operation for name in CALLS for operation, _ in _sent_by(name)} == EXPECTED


@pytest.mark.parametrize("name", CALLS)
def test_a_method_can_send_all_that_its_operation_takes(name: str) -> None:
    for operation, request in _sent_by(name):
        if operation.startswith("GET /api/agent-jobs/") and name == "wait":
            continue  # `get` sends it all
        body = set(json.loads(request.content)) if request.content else set()
        assert body_fields(operation) - NOT_SENT - OF_ANOTHER_ACTION.get(name, set()) == body
        assert query_fields(operation) - {"cursor"} - set(request.url.params) == set()


RECORDS = {name: getattr(results, name) for name in SCHEMAS if hasattr(results, name)}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_reads_an_answer_without_the_fields_that_it_may_lack(name: str) -> None:
    for whole in (False, True):
        msgspec.convert(sample_of(SCHEMAS[name], whole=whole), RECORDS[name])
