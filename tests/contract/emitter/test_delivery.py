"""An event that is emitted arrives through the official SDK and the local queue, over real HTTP.

Source: decisions/0002-four-events.
"""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from baton.clock import SystemClock
from baton.engine.outbox import event_of
from baton.engine.work_items import loop_item
from baton.queue.qstash.verifier import QueueVerifier
from baton.settings.settings import Settings
from baton_events.emitter import Delivery, Emitter
from baton_events.errors import (
    PartialPublishError,
    QueueUnauthorizedError,
    QueueUnreachableError,
    SignatureError,
    TopicNotFoundError,
)
from baton_events.schema import SWEEP_ENDPOINT, EventType, encode_event, parse_event
from tests.contract.emitter.receiver import Receiver

NOW_MS = 1_800_000_000_000
EVENT = event_of("session ü", loop_item("job_1", 1, 1, NOW_MS))
SECOND = event_of("session ü", loop_item("job_1", 2, 1, NOW_MS))


@pytest.fixture
async def emitter(settings: Settings) -> AsyncIterator[Emitter]:
    made = Emitter.from_settings(settings)
    yield made
    await made.close()


async def make_topic(settings: Settings, name: str, url: str) -> None:
    headers = {"Authorization": f"Bearer {settings.qstash_token}"}
    async with httpx.AsyncClient(headers=headers) as client:
        answer = await client.post(
            f"{settings.qstash_url}/v2/topics/{name}/endpoints", json={"endpoints": [{"name": "baton", "url": url}]}
        )
        assert answer.is_success


async def test_an_event_arrives_with_its_headers_and_its_body(emitter: Emitter, endpoint: Receiver) -> None:
    message_id = await emitter.emit(EVENT)
    delivery = await endpoint.next()
    assert (delivery.method, delivery.path) == ("POST", "/api/v2/workers/agent-loop")
    assert delivery.body == encode_event(EVENT).encode()
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


async def test_the_signature_is_valid_there_and_nowhere_else(
    emitter: Emitter, settings: Settings, endpoint: Receiver
) -> None:
    await emitter.emit(EVENT)
    delivery = await endpoint.next()
    signature, url = delivery.headers["upstash-signature"], settings.event_url(EventType.LOOP_INIT)
    QueueVerifier(settings).verify(signature, delivery.body, url)
    strange = QueueVerifier(replace(settings, current_signing_key="k" * 40, next_signing_key="l" * 40))
    for verifier, body, where in (
        (QueueVerifier(settings), delivery.body + b" ", url),
        (QueueVerifier(settings), delivery.body, url + "x"),
        (strange, delivery.body, url),
    ):
        with pytest.raises(SignatureError):
            verifier.verify(signature, body, where)


async def test_events_of_a_batch_arrive_each_once(emitter: Emitter, endpoint: Receiver) -> None:
    ids = await emitter.emit_many([Delivery(EVENT), Delivery(SECOND)])
    delivered = [await endpoint.next() for _ in range(2)]
    assert {one.headers["upstash-message-id"] for one in delivered} == set(ids)
    assert {one.headers["x-event-id"] for one in delivered} == {EVENT.id, SECOND.id}


async def test_an_event_arrives_by_topic(settings: Settings, endpoint: Receiver) -> None:
    by_topic = replace(settings, publish_by="topic", topic_prefix="contract-agent")
    await make_topic(settings, "contract-agent.agent-loop-init", f"{endpoint.url}/elsewhere")
    emitter = Emitter.from_settings(by_topic)
    message_id = await emitter.emit(EVENT)
    await emitter.close()
    delivery = await endpoint.next()
    assert (delivery.path, delivery.headers["upstash-message-id"]) == ("/api/v2/elsewhere", message_id)
    assert delivery.headers["x-event-id"] == EVENT.id


async def test_a_topic_that_nobody_made_is_named(settings: Settings) -> None:
    by_topic = replace(settings, publish_by="topic", topic_prefix="nobodys")
    emitter = Emitter.from_settings(by_topic)
    with pytest.raises(TopicNotFoundError, match=r"nobodys\.agent-loop-init"):
        await emitter.emit(EVENT)
    with pytest.raises(PartialPublishError) as caught:
        await emitter.emit_many([Delivery(EVENT), Delivery(SECOND)])
    await emitter.close()
    assert (caught.value.accepted, sorted(caught.value.failed)) == ({}, [0, 1])


async def test_what_was_redriven_once_is_not_redriven_twice_by_the_same_redrive(
    emitter: Emitter, endpoint: Receiver
) -> None:
    redrives = ["d1", "d1", "d2"]
    ids = [await emitter.emit(EVENT, deduplication_id=f"{EVENT.id}.{redrive}") for redrive in redrives]
    assert ids[0] == ids[1] != ids[2]
    assert {(await endpoint.next()).headers["upstash-message-id"] for _ in range(2)} == {ids[0], ids[2]}
    assert endpoint.empty()


async def test_a_message_that_was_taken_back_does_not_arrive(emitter: Emitter, endpoint: Receiver) -> None:
    message_id = await emitter.emit_to(SWEEP_ENDPOINT, "{}", not_before_ms=SystemClock().now_ms() + 3_600_000)
    await emitter.cancel(message_id)
    await emitter.emit_to(SWEEP_ENDPOINT, '{"dueMs":1}')
    delivery = await endpoint.next()
    assert (delivery.path, delivery.body) == ("/api/v2/workers/sweep", b'{"dueMs":1}')
    assert endpoint.empty()


async def test_a_wrong_token_and_a_wrong_address_are_named(settings: Settings) -> None:
    for wrong, error in (
        (replace(settings, qstash_token="wrong"), QueueUnauthorizedError),
        (replace(settings, qstash_url="http://127.0.0.1:9"), QueueUnreachableError),
    ):
        emitter = Emitter.from_settings(wrong)
        with pytest.raises(error):
            await emitter.emit(EVENT)
        await emitter.close()
