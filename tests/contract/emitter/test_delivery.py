"""An event that is emitted arrives through the official SDK and the local queue, over real HTTP.

Source: decisions/0002-four-events. Also what a message asks of the queue besides: how many at once, and how long to
wait in between.
"""

import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from baton.engine.outbox import event_of
from baton.engine.work_items import loop_item
from baton.queue.account import TopicEndpoint
from baton.queue.qstash.schedules import QStashSchedules
from baton.queue.verifier import QueueVerifier
from baton.sdk.clock import SystemClock
from baton.settings.settings import Settings
from baton_events.emitter import Delivery, Emitter, message_to
from baton_events.errors import (
    PartialPublishError,
    QueueUnauthorizedError,
    QueueUnreachableError,
    SignatureError,
    TopicNotFoundError,
)
from baton_events.schema import ENDPOINTS, SWEEP_ENDPOINT, EventType, encode_event, parse_event
from tests.contract.emitter.account_of import account_of, verifier_of
from tests.contract.qstash.destination import Destination, Received, Reply
from tests.unit.baton.kit.signing import verify

NOW_MS, LATER_MS = 1_800_000_000_000, 4_000_000_000_000
EVENT = event_of("session ü", loop_item("job_1", 1, 1, NOW_MS))
SECOND = event_of("session ü", loop_item("job_1", 2, 1, NOW_MS))
EVENTS = [event_of("session", loop_item(f"job_{n}", 1, 1, LATER_MS)) for n in range(12)]
LIMITS = (("/workers/agent-loop", 3), ("/workers/delivery-failed", 2), ("/workers/sweep", 1))
LOOP, SWEEP = "/api/v2/workers/agent-loop", "/api/v2/workers/sweep"


@pytest.fixture
async def emitter(settings: Settings) -> AsyncIterator[Emitter]:
    made = emitter_of(settings)
    yield made
    await made.close()


OF_QSTASH = pytest.mark.parametrize("settings", ["qstash"], indirect=True)


def emitter_of(settings: Settings) -> Emitter:
    if settings.queue == "redis":
        return Emitter(settings, account_of(settings).queue)
    return Emitter.from_settings(settings)


async def call(settings: Settings, method: str, path: str, body: Any = None) -> Any:
    """Ask the queue itself."""
    headers = {"Authorization": f"Bearer {settings.qstash_token}"}
    async with httpx.AsyncClient(headers=headers, base_url=settings.qstash_url) as client:
        answer = await client.request(method, path, json=body)
    assert answer.is_success
    return answer.json() if answer.content else None


async def test_an_event_arrives_signed_with_its_headers_and_its_body(
    emitter: Emitter, settings: Settings, endpoint: Destination
) -> None:
    """At its endpoint below the base's path; the signature is of this URL, this body, these keys."""
    message_id = await emitter.emit(EVENT)
    (delivery,) = endpoint.wait(LOOP)
    assert (delivery.method, delivery.body) == ("POST", encode_event(EVENT).encode())
    assert parse_event(delivery.body) == EVENT
    expected = {
        "content-type": "application/json",
        "x-event-id": EVENT.id,
        "x-event-type": "agent.loop.init",
        "x-session-id": "session%20%C3%BC",
        "x-job-id": "job_1",
        "upstash-message-id": message_id,
        "upstash-retried": "0",
    }
    assert {name: delivery.headers.get(name) for name in expected} == expected
    signature, url = delivery.headers["upstash-signature"], settings.endpoint_url(ENDPOINTS[EventType.LOOP_INIT])
    believing = await verifier_of(settings)
    verify(believing, signature, delivery.body, url)
    strange = QueueVerifier(Settings(current_signing_key="k" * 40, next_signing_key="l" * 40))
    for verifier, body, where in (
        (believing, delivery.body + b" ", url),
        (believing, delivery.body, url + "x"),
        (strange, delivery.body, url),
    ):
        with pytest.raises(SignatureError):
            verify(verifier, signature, body, where)


async def test_events_of_a_batch_arrive_each_once(emitter: Emitter, endpoint: Destination) -> None:
    ids = await emitter.emit_many([Delivery(EVENT), Delivery(SECOND)])
    delivered = endpoint.wait(LOOP, 2)
    assert {one.headers["upstash-message-id"] for one in delivered} == set(ids)
    assert {one.headers["x-event-id"] for one in delivered} == {EVENT.id, SECOND.id}


async def test_an_event_arrives_by_topic(settings: Settings, endpoint: Destination) -> None:
    """At the endpoint that the topic is bound to; the prefix is a setting. One that nobody made is named."""
    account = account_of(settings)
    await account.setup.put_endpoint(
        "contract-agent.agent-loop-init", TopicEndpoint(endpoint.url("/elsewhere"), "baton")
    )
    emitter, nobodys = (
        emitter_of(replace(settings, publish_by="topic", topic_prefix=prefix))
        for prefix in ("contract-agent", "nobodys")
    )
    message_id = await emitter.emit(EVENT)
    (delivery,) = endpoint.wait("/elsewhere")
    assert (delivery.headers["upstash-message-id"], delivery.headers["x-event-id"]) == (message_id, EVENT.id)
    with pytest.raises(TopicNotFoundError, match=r"nobodys\.agent-loop-init"):
        await nobodys.emit(EVENT)
    with pytest.raises(PartialPublishError) as caught:
        await nobodys.emit_many([Delivery(EVENT), Delivery(SECOND)])
    assert (caught.value.accepted, sorted(caught.value.failed)) == ({}, [0, 1])
    for each in (emitter, nobodys, account):
        await each.close()


async def test_what_was_replayed_once_is_not_replayed_twice_by_the_same_replay(
    emitter: Emitter, endpoint: Destination
) -> None:
    """The same deduplication id is accepted and not delivered; another replay is."""
    replays = ["d1", "d1", "d2"]
    ids = [await emitter.emit(EVENT, deduplication_id=f"{EVENT.id}.{replay}") for replay in replays]
    assert ids[0] == ids[1] != ids[2]
    assert {one.headers["upstash-message-id"] for one in endpoint.wait(LOOP, 2)} == {ids[0], ids[2]}


async def test_a_message_that_was_taken_back_does_not_arrive(emitter: Emitter, endpoint: Destination) -> None:
    message_id = await emitter.emit_to(SWEEP_ENDPOINT, "{}", not_before_ms=SystemClock().now_ms() + 3_600_000)
    await emitter.cancel(message_id)
    await emitter.emit_to(SWEEP_ENDPOINT, '{"dueMs":1}')
    assert [one.body for one in endpoint.wait(SWEEP)] == [b'{"dueMs":1}']


@OF_QSTASH
async def test_a_wrong_token_and_a_wrong_address_are_named(settings: Settings) -> None:
    for wrong, error in (
        (replace(settings, qstash_token="wrong"), QueueUnauthorizedError),
        (replace(settings, qstash_url="http://127.0.0.1:9"), QueueUnreachableError),
    ):
        emitter = emitter_of(wrong)
        with pytest.raises(error):
            await emitter.emit(EVENT)
        await emitter.close()


async def test_no_more_deliveries_are_under_way_than_a_message_says(settings: Settings, endpoint: Destination) -> None:
    """Also of those that come again after a refusal, as the first of each message does."""
    lock, with_it, most = threading.Lock(), 0, 0

    def answer(request: Received) -> Reply:
        nonlocal with_it, most
        with lock:
            with_it += 1
            most = max(most, with_it)
        time.sleep(0.05)
        with lock:
            with_it -= 1
        return Reply(429 if request.headers["upstash-retried"] == "0" else 200)

    endpoint.replies[LOOP] = answer
    emitter = emitter_of(replace(settings, deliveries_at_once=LIMITS, message_retry_delay_ms=10))
    await emitter.emit_many([Delivery(event) for event in EVENTS])
    endpoint.wait(LOOP, 2 * len(EVENTS))
    await emitter.close()
    assert most == 3


@OF_QSTASH
async def test_the_queue_keeps_what_messages_and_schedules_say_of_retries_and_flow(settings: Settings) -> None:
    flow = replace(settings, deliveries_at_once=LIMITS, topic_prefix="kept")
    emitter, schedules = emitter_of(flow), QStashSchedules(settings)
    alone = await emitter.emit(EVENTS[0], not_before_ms=LATER_MS)
    together = await emitter.emit_many([Delivery(event, LATER_MS) for event in EVENTS[1:3]])
    for event, message_id in zip(EVENTS, [alone, *together], strict=False):
        kept = await call(settings, "GET", f"/v2/messages/{message_id}")
        message = await emitter.message_of(event)
        assert (kept["flowControlKey"], kept["parallelism"]) == ("kept.agent-loop", 3)
        assert (kept["retryDelayExpression"], kept["maxRetries"]) == (message.waits.expression, message.retries)
        callback = {name.lower(): value for name, value in kept["failureCallbackHeader"].items()}
        assert callback["upstash-flow-control-key"] == ["kept.delivery-failed"]
        assert callback["upstash-flow-control-value"] == ["parallelism=2"]
        await emitter.cancel(message_id)
    sweep = message_to(flow, SWEEP_ENDPOINT, "")
    await schedules.put("kept.sweep", "0 * * * *", sweep)
    kept = await call(settings, "GET", "/v2/schedules/kept.sweep")
    assert (kept["flowControlKey"], kept["parallelism"]) == ("kept.sweep", 1)
    assert kept["retryDelayExpression"] == sweep.waits.expression
    await schedules.delete("kept.sweep")
    await schedules.close()
    await emitter.close()
