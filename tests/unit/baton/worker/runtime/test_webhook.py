"""The edge: what is refused before anything is read, with which status, and that nothing of our inside is told."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial

import httpx
import pytest

from baton.server.app import SPECS
from baton.settings.settings import MESSAGE_LIMIT_BYTES
from baton.worker.runtime.spec import Spec
from baton.worker.runtime.webhook import FORGED_PER_MINUTE, NON_RETRYABLE_HEADER, own_version, probe_body
from baton_events.errors import StoreError
from baton_events.schema import SCHEMA_VERSION
from tests.unit.baton.kit.edge import KEYED, LOOP, Edge
from tests.unit.baton.kit.faults import fail
from tests.unit.baton.kit.signing import STRANGE, delivery_headers, signature
from tests.unit.baton.kit.stage import BASE, SETTINGS

OF_ANOTHER_BODY = partial(signature, LOOP, b"[]")


def assert_problem(response: httpx.Response, status: int, *, retryable: bool) -> str:
    """A problem document; returns its detail."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert (set(body), body["code"]) == ({"type", "title", "status", "code", "detail"}, "WEBHOOK_REFUSED")
    assert response.headers.get(NON_RETRYABLE_HEADER) == (None if retryable else "true")
    detail: str = body["detail"]
    return detail


@pytest.mark.parametrize(
    "token_of",
    [
        pytest.param(str, id="none"),
        pytest.param(lambda: "no token", id="garbage"),
        pytest.param(partial(signature, LOOP, b"{}", STRANGE), id="another key's"),
        pytest.param(partial(signature, LOOP, b"{}", exp=1_700_000_000), id="expired"),
        pytest.param(partial(signature, LOOP, b"{}", nbf=4_000_000_000), id="not yet"),
        pytest.param(partial(signature, LOOP, b"{}", iss="x"), id="another issuer's"),
        pytest.param(partial(signature, f"{BASE}/workers/tool-executor", b"{}"), id="wrong URL"),
        pytest.param(OF_ANOTHER_BODY, id="swapped"),
        pytest.param(partial(signature, LOOP, b"{}", body=None), id="no digest"),
    ],
)
async def test_what_the_queue_did_not_sign_is_refused(edge: Edge, token_of: Callable[[], str]) -> None:
    """401, whatever is wrong with it; nothing is published. Each is signed now: it is good for five minutes.

    The signature's own text depends on no body: who cannot sign makes this process hold nothing.
    """
    read = list[str]()

    async def body() -> AsyncIterator[bytes]:
        read.append("first")
        yield b"{}"

    token = token_of()
    signed = {**delivery_headers(LOOP, b"{}"), "upstash-signature": token} if token else {}
    assert_problem(await edge.client.post(LOOP, content=body(), headers=signed), 401, retryable=True)
    assert bool(read) is (token_of is OF_ANOTHER_BODY), "it is read to be compared"
    assert edge.stage.queue.published == []


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
async def test_every_webhook_answers_a_signed_probe_and_changes_nothing(edge: Edge, spec: Spec) -> None:
    """By its own URL, even where the store is down: it is asked for nothing. Unsigned, it tells an outsider nothing."""
    fail(edge.stage.store, "claim", StoreError("down"))
    url, body = f"{BASE}{spec.path}", probe_body("p1").encode()
    answer = await edge.post(body, url)
    assert answer.status_code == 200
    assert answer.json() == {"outcome": "probe", "version": own_version(), "schemaVersion": SCHEMA_VERSION}
    for token in (signature(url, body, STRANGE), signature(f"{BASE}/elsewhere", body)):
        assert_problem(await edge.post(body, url, upstash_signature=token), 401, retryable=True)
    assert edge.stage.queue.published == []


async def test_without_a_configured_key_nothing_is_valid() -> None:
    """There is no switch that turns the check off."""
    response = await Edge(SETTINGS).post(b"{}")
    assert "no signing key is configured" in assert_problem(response, 401, retryable=True)


async def test_webhooks_are_served_below_the_path_of_the_base() -> None:
    """decisions/0002-four-events: the base may carry a path such as /api/v2."""
    base = f"{BASE}/api/v2"
    edge = Edge(replace(KEYED, worker_base_url=base))
    assert (await edge.post(await edge.first_event(), f"{base}/workers/agent-loop")).status_code == 200


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (b"", "not JSON"),
        (b"[]", "not an object"),
        (b'{"type":"agent.loop.stop"}', "unknown event type 'agent.loop.stop'"),
        (b'{"type":"agent.loop.init","schemaVersion":0}', "unknown schemaVersion 0"),
        (b'{"type":"agent.loop.init"}', "not a valid agent.loop.init"),
    ],
)
async def test_what_no_version_can_read_is_not_repeated(edge: Edge, body: bytes, hint: str) -> None:
    """489 and the header: the message stays in the dead letter queue for a person."""
    assert hint in assert_problem(await edge.post(body), 489, retryable=False)


async def test_what_a_newer_version_sent_comes_again(edge: Edge) -> None:
    """503: the queue delivers it again, to an instance that may know it, and no job fails for it."""
    response = await edge.post(b'{"type":"agent.loop.init","schemaVersion":2}')
    assert "schemaVersion 2" in assert_problem(response, 503, retryable=True)


@pytest.mark.parametrize(
    ("path", "headers", "hint"),
    [
        ("agent-loop", {"upstash_message_id": ""}, "not a delivery"),  # nobody could carry what follows
        ("agent-loop", {"upstash_retried": "-1"}, "not a delivery"),
        ("agent-loop", {"upstash_retried": "many"}, "not a delivery"),
        ("tool-executor", {}, "agent.loop.init does not belong to /workers/tool-executor, which takes agent.tool.call"),
    ],
)
async def test_a_request_that_is_no_delivery_here_is_not_repeated(
    edge: Edge, path: str, headers: dict[str, str], hint: str
) -> None:
    response = await edge.post(await edge.first_event(), f"{BASE}/workers/{path}", **headers)
    assert hint in assert_problem(response, 489, retryable=False)


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_another_method_is_refused(edge: Edge, method: str) -> None:
    response = await edge.client.request(method, LOOP)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_an_event_of_an_unknown_job_may_be_repeated(edge: Edge) -> None:
    """503: its backup message may still come."""
    body = await edge.first_event()
    edge.stage.store.trees.clear()
    detail = assert_problem(await edge.post(body), 503, retryable=True)
    assert "job job_1 is not known (yet)" in detail


async def test_a_defect_of_ours_reveals_nothing_of_our_inside(edge: Edge) -> None:
    """500 without a traceback, a class or a value; the log has it; the process goes on."""
    body = await edge.first_event()
    fail(edge.stage.store, "claim", RuntimeError("the password is hunter2"))
    response = await edge.post(body)
    assert assert_problem(response, 500, retryable=True) == "internal error; the queue will try again"
    assert not any(label in response.text for label in ("hunter2", "RuntimeError", "Traceback", ".py"))
    assert (await edge.post(body, upstash_retried="1")).status_code == 200


async def test_a_sweep_is_taken_with_and_without_a_body(edge: Edge) -> None:
    for body in (b"", b'{"dueMs":5}'):
        response = await edge.post(body, f"{BASE}/workers/sweep")
        assert (response.status_code, response.json()) == (200, {"outcome": "swept", "handedOn": 0})
    assert_problem(await edge.post(b"soon", f"{BASE}/workers/sweep"), 489, retryable=False)


async def test_a_failure_callback_about_something_else_is_left_to_a_person(edge: Edge) -> None:
    """200: the callback itself was understood; what is none is 489."""
    body = json.dumps({"sourceMessageId": "m", "sourceBody": "", "status": 500}).encode()
    url = f"{BASE}/workers/delivery-failed"
    assert (await edge.post(body, url)).json() == {"outcome": "kept for a person", "handedOn": 0}
    assert_problem(await edge.post(b"{}", url), 489, retryable=False)


async def test_secrets_are_in_no_answer(edge: Edge) -> None:
    fail(edge.stage.store, "claim", StoreError("it broke"))
    forged = await edge.post(b"{}", upstash_signature="x")
    for answer in (await edge.post(await edge.first_event()), forged, await edge.post(b"not json")):
        assert KEYED.current_signing_key not in answer.text
        assert KEYED.qstash_token not in answer.json()["detail"].split()


async def test_a_source_that_keeps_forging_has_to_wait(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    """429 with Retry-After once its budget is spent, and no further line in the log; after a while it is 401 again.

    What is signed is never limited: a 429 would burn the queue's retries.
    """
    for _ in range(FORGED_PER_MINUTE):
        assert_problem(await edge.post(b"{}", upstash_signature="forged"), 401, retryable=True)
    caplog.clear()
    response = await edge.post(b"{}", upstash_signature="forged")
    assert_problem(response, 429, retryable=True)
    assert int(response.headers["retry-after"]) > 0
    assert caplog.records == []
    signed = await edge.post(await edge.first_event())
    assert (signed.status_code, signed.json()["outcome"]) == (200, "done")
    edge.stage.clock.ms += 60_000
    assert_problem(await edge.post(b"{}", upstash_signature=""), 401, retryable=True)


async def test_a_body_that_is_too_large_is_refused(edge: Edge) -> None:
    body = b"x" * (MESSAGE_LIMIT_BYTES + 1)
    assert str(MESSAGE_LIMIT_BYTES) in assert_problem(await edge.post(body), 413, retryable=True)
    assert (await edge.post(await edge.first_event())).status_code == 200


async def test_no_more_of_a_large_body_is_read_than_the_limit(edge: Edge) -> None:
    """Whoever sends without end is not listened to."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1_000):
            sent += 1024 * 1024
            yield b"x" * (1024 * 1024)

    response = await edge.client.post(LOOP, content=endless(), headers=delivery_headers(LOOP, b"{}"))
    assert response.status_code == 413
    assert sent <= MESSAGE_LIMIT_BYTES + 2 * 1024 * 1024
