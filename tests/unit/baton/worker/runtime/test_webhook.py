"""The edge: how it reads a request, what is refused with which status, and that nothing of our inside is told.

What cannot work now says when to come again (qstash.md 10, rule 2). The queue accepts `Retry-After` before the delays
that a message asks for: a shorter one would use up its retries faster.
"""

import json
from collections.abc import AsyncIterator, Callable, MutableMapping
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import pytest

from baton.engine.transitions import JobStatus
from baton.server.app import SPECS
from baton.settings.settings import MESSAGE_LIMIT_BYTES
from baton.worker.container import Container
from baton.worker.runtime.spec import Spec
from baton.worker.runtime.webhook import (
    FORGED_PER_MINUTE,
    NON_RETRYABLE_HEADER,
    SourceBudget,
    lambda_url,
    own_version,
    probe_body,
)
from baton.worker.wiring import real_ports
from baton_events.errors import StoreError
from baton_events.messages import CALLBACK_WAITS, SPREAD, RetryWaits
from baton_events.schema import SCHEMA_VERSION, encode_event
from baton_local.qstash.core.retry_delay import next_delay_ms
from tests.fakes.clock import FakeClock
from tests.fakes.rate_limit import FakeRateLimit
from tests.unit.baton.kit.edge import KEYED, LOOP, Edge
from tests.unit.baton.kit.faults import fail
from tests.unit.baton.kit.giving_up import callback
from tests.unit.baton.kit.signing import STRANGE, delivery_headers, signature
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage
from tests.unit.baton.server.api.client import Api, api_of

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


@pytest.mark.parametrize(("first", "status"), [("forged", 401), ("", 200)])
async def test_of_a_header_that_comes_twice_the_first_counts(edge: Edge, first: str, status: int) -> None:
    """As with every other reader of HTTP: what one checks is what the other acts by."""
    body = await edge.first_event()
    good = delivery_headers(LOOP, body)
    second = {**good, "upstash-signature": "forged", "upstash-message-id": "another"}
    doubled = [("upstash-signature", first)] if first else []
    response = await edge.client.post(LOOP, content=body, headers=[*doubled, *good.items(), *second.items()])
    assert response.status_code == status


async def test_a_body_in_pieces_is_one(edge: Edge) -> None:
    body = await edge.first_event()

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (body[:10], b"", body[10:]):
            yield piece

    response = await edge.client.post(LOOP, content=pieces(), headers=delivery_headers(LOOP, body))
    assert (response.status_code, response.json()["outcome"]) == (200, "done")


async def test_of_a_sender_who_hangs_up_nothing_is_handled(edge: Edge) -> None:
    """The queue sends it again; it is no error of ours, which would be logged with a traceback."""
    body = await edge.first_event()
    came: list[dict[str, Any]] = [
        {"type": "http.request", "body": body[:10], "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[int] = []

    async def receive() -> dict[str, Any]:
        return came.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.extend([message["status"]] if "status" in message else [])

    head = [(name.encode(), value.encode()) for name, value in delivery_headers(LOOP, body).items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/workers/agent-loop",
        "headers": head,
        "query_string": b"",
        "scheme": "https",
    }
    await edge.app(scope, receive, send)
    assert sent == [400]
    assert (await edge.stage.snapshot()).job.status is JobStatus.PENDING


@pytest.mark.parametrize("body", [b"\xff\xfe", b'{"type": "agent.loop.init", "id": "\xe9"}', b"\x00\x80"])
async def test_a_signed_body_that_is_no_utf8_is_malformed_and_not_forged(edge: Edge, body: bytes) -> None:
    """489: the queue keeps it for a person. 401 had it delivered again, and told of a forger who was none."""
    response = await edge.post(body)
    assert (response.status_code, response.headers["upstash-nonretryable-error"]) == (489, "true")
    swapped = await edge.client.post(LOOP, content=body + b"\xff", headers=delivery_headers(LOOP, body))
    assert swapped.status_code == 401


OWN = "abcdefghij0123456789.lambda-url.eu-central-1.on.aws"


@pytest.mark.parametrize(
    "domain", ["", "api.example.com", "id.execute-api.eu-central-1.amazonaws.com", f"{OWN}.example.com", f"x.{OWN}"]
)
def test_a_url_of_our_own_is_what_lambda_says_and_no_header(domain: str) -> None:
    """Behind anything else there is none: the settings say then which URL is ours."""
    scope: dict[str, Any] = {"headers": [[b"host", OWN.encode()]]}
    assert lambda_url(scope) == ""
    assert lambda_url(scope | {"aws.event": {"requestContext": {"domainName": domain} if domain else {}}}) == ""
    claimed = {"headers": [[b"host", b"claimed.lambda-url.eu-central-1.on.aws"]]}
    assert lambda_url(claimed | {"aws.event": {"requestContext": {"domainName": OWN}}}) == f"https://{OWN}"


def test_a_spent_budget_fills_evenly() -> None:
    """Three a minute: after the third failure, the next one may come 20 s later, whatever others do.

    Nobody is locked out for longer by what they did before.
    """
    clock = FakeClock()
    budget = SourceBudget(clock, 3)
    for _ in range(3):
        assert [budget.wait_seconds("a") for _ in range(100)] == [0] * 100
        budget.spend("a")
    assert budget.wait_seconds("a") == 20
    for _ in range(1000):
        budget.spend("a")
    assert budget.wait_seconds("a") == 20
    assert budget.wait_seconds("b") == 0
    clock.ms += 15_000
    assert budget.wait_seconds("a") == 5
    clock.ms += 5_000
    assert budget.wait_seconds("a") == 0


def test_a_clock_that_goes_back_refuses_nobody_for_longer() -> None:
    clock = FakeClock()
    budget = SourceBudget(clock, 3)
    budget.spend("a")
    clock.ms -= 3_600_000
    budget.spend("a")
    assert budget.wait_seconds("a") == 0


def test_sources_are_forgotten_the_longest_unseen_first() -> None:
    budget = SourceBudget(FakeClock(), 1)
    for number in range(10_001):
        budget.spend(str(number))
    assert budget.wait_seconds("0") == 0
    assert budget.wait_seconds("1") == 60
    assert budget.wait_seconds("10000") == 60


FAILED = f"{BASE}/workers/delivery-failed"
OWN_WAITS = RetryWaits(KEYED.message_retry_delay_ms)


async def refused(edge: Edge, url: str, body: bytes, retried: int, message_id: str = "msg_1") -> str:
    """When the queue is to come again, where the store is away."""
    for name in ("claim", "undelivered"):
        fail(edge.stage.store, name, StoreError("no answer from the store within 10 s"))
    response = await edge.post(body, url, upstash_retried=str(retried), upstash_message_id=message_id)
    assert response.status_code == 503
    return response.headers["retry-after"]


@pytest.mark.parametrize("retried", [0, 1, 2, 3, 9])
async def test_a_message_waits_no_shorter_for_the_store_than_it_requests(edge: Edge, retried: int) -> None:
    """So an outage uses up its retries no faster, however it is spread; and not much longer."""
    answer = await refused(edge, LOOP, await edge.first_event(), retried)
    requested_ms = next_delay_ms(None, retried, {"Retry-After": [answer]}, 0)
    longest_ms = max(OWN_WAITS.spread(f"evt_{n}").wait_ms(retried) for n in range(2_000))
    assert longest_ms <= requested_ms <= OWN_WAITS.wait_ms(retried) * (1 + 2 * SPREAD) + 1_000


async def test_messages_that_an_outage_meets_at_once_do_not_come_again_at_once(edge: Edge) -> None:
    body = await edge.first_event()
    assert len({await refused(edge, LOOP, body, 2, f"msg_{n}") for n in range(60)}) > 8


@pytest.mark.parametrize("retried", [0, 1, 2])
async def test_a_failure_callback_waits_no_shorter_than_it_requests(edge: Edge, retried: int) -> None:
    answer = await refused(edge, FAILED, callback(await edge.first_event()), retried)
    assert int(answer) * 1000 >= CALLBACK_WAITS.wait_ms(retried)


def limited(limit: FakeRateLimit) -> Stage:
    stage = Stage()
    stage.ports = replace(stage.ports, delivery_limit=limit)
    stage.container = Container(stage.container.settings, stage.ports, stage.container.registry)
    return stage


async def delivered(api: Api, body: str, retried: int = 0) -> tuple[int, str]:
    headers = {"upstash-signature": "x", "upstash-message-id": "m1", "upstash-retried": str(retried)}
    answer = await api.http.post("/workers/agent-loop", content=body, headers=headers)
    return answer.status_code, answer.headers.get("retry-after", "")


async def test_what_comes_too_often_is_not_begun_and_comes_again_no_earlier_than_it_may() -> None:
    """429, with a wait that the queue accepts; it is never shorter than the message's own."""
    limit = FakeRateLimit(0, wait_seconds=3_000)
    stage = limited(limit)
    body = encode_event(await stage.submit("answers"))
    async with api_of(stage) as api:
        status, seconds = await delivered(api, body)
        assert (status, seconds) == (429, "3000")
        assert next_delay_ms(None, 0, {"Retry-After": [seconds]}, 0) == 3_000_000
        limit.wait = 0.5
        own_ms = RetryWaits(stage.container.settings.message_retry_delay_ms).wait_ms(2)
        assert int((await delivered(api, body, 2))[1]) * 1000 >= own_ms
        assert (await stage.snapshot()).job.status == "pending"
        limit.tokens = 100
        assert (await delivered(api, body, 3))[0] == 200
        assert (await stage.snapshot()).job.status == "completed"


async def test_addresses_and_sessions_are_counted_apart() -> None:
    limit = FakeRateLimit(5)
    stage = limited(limit)
    async with api_of(stage) as api:
        await delivered(api, encode_event(await stage.submit("answers")))
    assert limit.taken == {"delivery:from:127.0.0.1": 1, "delivery:of:session-job_1": 1}


def test_without_the_setting_nothing_is_asked() -> None:
    settings = replace(SETTINGS, redis_url="https://redis.example.com", redis_token="token")
    assert real_ports(settings).delivery_limit is None
    assert real_ports(replace(settings, worker_rate_limit_per_minute=60)).delivery_limit is not None
