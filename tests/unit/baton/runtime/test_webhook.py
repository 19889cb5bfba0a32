"""The edge: what is refused before anything is read, with which status, and that nothing of our inside is told."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from baton.app import SPECS, build_app
from baton.engine.commit.answers import Claim, ClaimResult
from baton.queue.qstash.verifier import QueueVerifier
from baton.runtime import claims
from baton.runtime.webhook import BODY_LIMIT_BYTES, FORGED_PER_MINUTE, NON_RETRYABLE_HEADER
from baton_events.errors import StoreError
from baton_events.schema import encode_event
from tests.fakes import FakeStore
from tests.unit.baton.kit.signing import STRANGE, delivery_headers, keyed, signature
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage

LOOP = f"{BASE}/workers/agent-loop"
KEYED = keyed(SETTINGS)


class BrokenStore(FakeStore):
    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None

    async def claim(self, claim: Claim) -> ClaimResult:
        error, self.error = self.error, None
        if error is not None:
            raise error
        return await super().claim(claim)


class Edge:
    def __init__(self) -> None:
        self.store = BrokenStore()
        self.stage = Stage(settings=KEYED, store=self.store, verifier=QueueVerifier(KEYED))
        self.app = build_app(self.stage.container)
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url=BASE)

    async def first_event(self) -> bytes:
        return encode_event(await self.stage.submit("answers")).encode()

    async def post(self, body: bytes, url: str = LOOP, **headers: str) -> httpx.Response:
        return await self.client.post(url, content=body, headers=delivery_headers(url, body, **headers))


@pytest.fixture
async def edge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Edge]:
    monkeypatch.setattr(claims, "BEGIN_PAUSES_SECONDS", ())
    made = Edge()
    async with made.client:
        yield made


def assert_problem(response: httpx.Response, status: int, *, retryable: bool) -> str:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert (set(body), body["code"]) == ({"type", "title", "status", "code", "detail"}, "WEBHOOK_REFUSED")
    assert response.headers.get(NON_RETRYABLE_HEADER) == (None if retryable else "true")
    detail: str = body["detail"]
    return detail


@pytest.mark.parametrize(
    "token",
    [
        "",
        "no token",
        signature(LOOP, b"{}", STRANGE),
        signature(LOOP, b"{}", exp=1_700_000_000),
        signature(LOOP, b"{}", nbf=4_000_000_000),
        signature(f"{BASE}/workers/tool-executor", b"{}"),
        signature(LOOP, b"[]"),
        signature(LOOP, b"{}", body=None),
    ],
    ids=["none", "garbage", "forged", "expired", "not yet", "wrong URL", "swapped", "no digest"],
)
async def test_what_the_queue_did_not_sign_is_refused(edge: Edge, token: str) -> None:
    """401, whatever is wrong with it; nothing of the body is read."""
    response = await edge.post(b"{}", upstash_signature=token)
    assert_problem(response, 401, retryable=True)
    assert edge.stage.queue.published == []


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
async def test_every_webhook_checks_its_signature(edge: Edge, spec: Any) -> None:
    response = await edge.post(b"{}", f"{BASE}{spec.path}", upstash_signature=signature(f"{BASE}/elsewhere", b"{}"))
    assert_problem(response, 401, retryable=True)


async def test_without_a_configured_key_nothing_is_valid() -> None:
    stage = Stage(verifier=QueueVerifier(SETTINGS))
    transport = httpx.ASGITransport(app=build_app(stage.container))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        response = await client.post(LOOP, content=b"{}", headers=delivery_headers(LOOP, b"{}"))
    assert "no signing key is configured" in assert_problem(response, 401, retryable=True)


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (b"", "not JSON"),
        (b"not json", "not JSON"),
        (b"[]", "not an object"),
        (b'{"type":"agent.loop.stop"}', "unknown event type 'agent.loop.stop'"),
        (b'{"type":"agent.loop.init","schemaVersion":0}', "unknown schemaVersion 0"),
        (b'{"type":"agent.loop.init"}', "not a valid agent.loop.init"),
    ],
)
async def test_what_no_version_can_read_is_not_repeated(edge: Edge, body: bytes, hint: str) -> None:
    """489 and the header: the message stays in the dead letter queue for a person."""
    response = await edge.post(body)
    assert hint in assert_problem(response, 489, retryable=False)


async def test_what_a_newer_version_sent_comes_again(edge: Edge) -> None:
    """503: the queue delivers it again, to an instance that may know it, and no job fails for it."""
    response = await edge.post(b'{"type":"agent.loop.init","schemaVersion":2}')
    assert "schemaVersion 2" in assert_problem(response, 503, retryable=True)


async def test_an_event_at_another_types_endpoint_is_not_repeated(edge: Edge) -> None:
    response = await edge.post(await edge.first_event(), f"{BASE}/workers/tool-executor")
    detail = assert_problem(response, 489, retryable=False)
    assert detail == "agent.loop.init does not belong to /workers/tool-executor, which takes agent.tool.call"


@pytest.mark.parametrize(
    "headers", [{"upstash_message_id": ""}, {"upstash_retried": "-1"}, {"upstash_retried": "many"}], ids=str
)
async def test_a_request_that_is_no_delivery_is_not_repeated(edge: Edge, headers: dict[str, str]) -> None:
    """Without an id nobody could carry what follows."""
    response = await edge.post(await edge.first_event(), **headers)
    assert "not a delivery" in assert_problem(response, 489, retryable=False)


@pytest.mark.parametrize("size_bytes", [BODY_LIMIT_BYTES + 1, 10 * 1024 * 1024])
async def test_a_body_that_is_too_large_is_refused(edge: Edge, size_bytes: int) -> None:
    body = b"x" * size_bytes
    for token in (signature(LOOP, body), "none"):
        response = await edge.post(body, upstash_signature=token)
        assert str(BODY_LIMIT_BYTES) in assert_problem(response, 413, retryable=True)
    assert (await edge.post(await edge.first_event())).status_code == 200


async def test_no_more_of_a_large_body_is_read_than_the_limit(edge: Edge) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1_000):
            sent += 1024 * 1024
            yield b"x" * (1024 * 1024)

    response = await edge.client.post(LOOP, content=endless(), headers={"upstash-signature": "some"})
    assert response.status_code == 413
    assert sent <= BODY_LIMIT_BYTES + 2 * 1024 * 1024


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
async def test_another_method_is_refused(edge: Edge, method: str) -> None:
    response = await edge.client.request(method, LOOP)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_an_event_of_an_unknown_job_may_be_repeated(edge: Edge) -> None:
    """503: its backup message may still come."""
    body = await edge.first_event()
    edge.store.trees.clear()
    detail = assert_problem(await edge.post(body), 503, retryable=True)
    assert "job job_1 is not known (yet)" in detail


async def test_a_defect_of_ours_reveals_nothing_of_our_inside(edge: Edge) -> None:
    """500 without a traceback, a class or a value; the log has it; the process goes on."""
    body = await edge.first_event()
    edge.store.error = RuntimeError("the password is hunter2")
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
    edge.store.error = StoreError("it broke")
    answers = [
        await edge.post(await edge.first_event()),
        await edge.post(b"{}", upstash_signature="x"),
        await edge.post(b"not json"),
    ]
    for answer in answers:
        assert KEYED.current_signing_key not in answer.text
        assert KEYED.qstash_token not in answer.json()["detail"].split()


async def test_a_source_that_keeps_forging_has_to_wait(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    """429 with Retry-After once its budget is spent, and no further line in the log; after a while it is 401 again."""
    for _ in range(FORGED_PER_MINUTE):
        assert_problem(await edge.post(b"{}", upstash_signature="forged"), 401, retryable=True)
    caplog.clear()
    response = await edge.post(b"{}", upstash_signature="forged")
    assert_problem(response, 429, retryable=True)
    assert int(response.headers["retry-after"]) > 0
    assert caplog.records == []
    edge.stage.clock.ms += 60_000
    assert_problem(await edge.post(b"{}", upstash_signature=""), 401, retryable=True)


async def test_what_is_signed_is_never_limited(edge: Edge) -> None:
    """A 429 would burn the queue's retries: not even after many forged requests from the same address."""
    body = await edge.first_event()
    for _ in range(FORGED_PER_MINUTE + 5):
        await edge.post(body, upstash_signature="forged")
    response = await edge.post(body)
    assert (response.status_code, response.json()["outcome"]) == (200, "done")


async def test_without_a_signature_the_body_is_not_read(edge: Edge) -> None:
    requested: list[str] = []

    async def body() -> AsyncIterator[bytes]:
        requested.append("first")
        yield b"{}"

    response = await edge.client.post(LOOP, content=body())
    assert_problem(response, 401, retryable=True)
    assert requested == []
