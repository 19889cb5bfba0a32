"""The queue through the official SDK: what goes over the wire, and each answer as an error by name."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import respx

from baton.queue.qstash.publisher import QStashQueue
from baton.settings.settings import Settings
from baton_events.errors import (
    PartialPublishError,
    PublishError,
    QueueUnauthorizedError,
    QueueUnreachableError,
    SettingsError,
    TopicNotFoundError,
)
from baton_events.messages import Outgoing
from tests.fakes.clock import FakeClock

QUEUE_URL = "https://queue.example.com"
TOKEN = "secret-token"
URL = "https://fn.example.com/api/v2/workers/agent-loop"
MESSAGE = Outgoing(
    body='{"a":"é"}',
    url=URL,
    headers={"x-event-id": "evt_1"},
    label="job_1",
    failure_callback="https://fn.example.com/api/v2/workers/delivery-failed",
)
NOW_MS = 1_800_000_000_000
TO_TOPIC = Outgoing(body="{}", topic="agent.agent-loop-init")
# What an answer without a body of its own says (qstash.md 20).
NOT_FOUND = httpx.Response(404, json={"error": "topic agent.agent-loop-init not found"})


@pytest.fixture
async def queue() -> AsyncIterator[QStashQueue]:
    settings = Settings(qstash_url=QUEUE_URL, qstash_token=TOKEN, queue_timeout_seconds=1)
    made = QStashQueue(settings, FakeClock(NOW_MS))
    yield made
    await made.close()


def accepted(message_id: str = "msg_1") -> httpx.Response:
    return httpx.Response(200, json={"messageId": message_id})


@respx.mock
async def test_one_message_is_published_with_the_options_of_the_design(queue: QStashQueue) -> None:
    """To its URL with the path as it is; no delay of the first delivery."""
    route = respx.post(f"{QUEUE_URL}/v2/publish/{URL}").mock(return_value=accepted())
    assert await queue.publish([MESSAGE]) == ["msg_1"]
    request = route.calls.last.request
    assert request.content == MESSAGE.body.encode()
    sent = {name: value for name, value in request.headers.items() if name.startswith(("upstash", "authori"))}
    assert sent == {
        "authorization": f"Bearer {TOKEN}",
        "upstash-method": "POST",
        "upstash-forward-x-event-id": "evt_1",
        "upstash-retries": "3",
        "upstash-retry-delay": "min(600000, 10000 * pow(2, retried))",
        "upstash-timeout": "300s",
        "upstash-failure-callback": MESSAGE.failure_callback,
        "upstash-failure-callback-retry-delay": "min(360000, 10000 * pow(6, retried))",
        "upstash-failure-callback-timeout": "39s",
        "upstash-label": "job_1",
    }
    assert request.headers["content-type"] == "application/json"


@respx.mock
async def test_a_request_for_somebody_else_is_hidden_and_answered_here(queue: QStashQueue) -> None:
    """Its key and texts are in no log of the queue, nor are the answer's. It is sent once."""
    asked = Outgoing("{}", "https://api.example.com/v1", headers={"x-api-key": "k"}, callback=URL, label="j", retries=0)
    route = respx.post(f"{QUEUE_URL}/v2/publish/{asked.url}").mock(return_value=accepted())
    await queue.publish([asked])
    sent = route.calls.last.request.headers
    assert (sent["upstash-forward-x-api-key"], sent["upstash-redact-fields"]) == ("k", "body,header")
    assert sent["upstash-retries"] == "0"
    for kind in ("upstash-callback", "upstash-failure-callback"):
        assert sent[kind] == URL
        options = {name: sent[f"{kind}-{name}"] for name in ("retries", "timeout", "label", "redact-fields")}
        assert options == {"retries": "5", "timeout": "240s", "label": "j", "redact-fields": "body"}


@respx.mock
async def test_a_later_delivery_is_a_delay_in_whole_seconds_never_too_early(queue: QStashQueue) -> None:
    """And what tells a message apart goes along. What is due by now has no delay."""
    route = respx.post(f"{QUEUE_URL}/v2/publish/{URL}").mock(return_value=accepted())
    for wait_ms, delay in ((-5_000, None), (0, None), (1, "1s"), (60_000, "60s"), (60_001, "61s")):
        later = Outgoing(body="{}", url=URL, not_before_ms=NOW_MS + wait_ms, deduplication_id="evt_1.msg_1.0")
        await queue.publish([later])
        headers = route.calls.last.request.headers
        assert (headers.get("upstash-delay"), headers["upstash-deduplication-id"]) == (delay, "evt_1.msg_1.0")
        assert "upstash-not-before" not in headers


@respx.mock
async def test_a_delivery_after_the_queues_longest_delay_comes_early(queue: QStashQueue) -> None:
    """Whoever gets it publishes it again; the queue would refuse the message otherwise."""
    route = respx.post(f"{QUEUE_URL}/v2/publish/{URL}").mock(return_value=accepted())
    await queue.publish([Outgoing(body="{}", url=URL, not_before_ms=NOW_MS + 30 * 86_400_000)])
    assert route.calls.last.request.headers["upstash-delay"] == f"{7 * 86_400}s"


@pytest.mark.parametrize(("wait_ms", "delay"), [(None, "10s"), (3_000, "10s"), (60_000, "60s")])
@respx.mock
async def test_each_message_waits_as_long_as_the_settings_say(wait_ms: int | None, delay: str) -> None:
    """Or longer, where it is to come later."""
    route = respx.post(f"{QUEUE_URL}/v2/publish/{URL}").mock(return_value=accepted())
    settings = Settings(qstash_url=QUEUE_URL, qstash_token=TOKEN, message_delay_seconds=10)
    delayed = QStashQueue(settings, FakeClock(NOW_MS))
    await delayed.publish([Outgoing(body="{}", url=URL, not_before_ms=NOW_MS + wait_ms if wait_ms else 0)])
    await delayed.close()
    assert route.calls.last.request.headers["upstash-delay"] == delay


@respx.mock
async def test_a_topics_answer_is_a_list(queue: QStashQueue) -> None:
    """One message for each endpoint of the topic: the first one's id."""
    answer = [{"messageId": "msg_1", "url": "https://a"}, {"messageId": "msg_2", "url": "https://b"}]
    route = respx.post(f"{QUEUE_URL}/v2/publish/agent.agent-loop-init").mock(
        return_value=httpx.Response(200, json=answer)
    )
    assert await queue.publish([TO_TOPIC]) == ["msg_1"]
    assert route.call_count == 1


@respx.mock
async def test_a_duplicate_has_the_id_of_the_first(queue: QStashQueue) -> None:
    """It is no error: the queue has it already."""
    answer = httpx.Response(202, json={"messageId": "msg_0", "deduplicated": True})
    respx.post(f"{QUEUE_URL}/v2/publish/{URL}").mock(return_value=answer)
    assert await queue.publish([MESSAGE]) == ["msg_0"]


@respx.mock
async def test_several_messages_are_one_request(queue: QStashQueue) -> None:
    """By URL and by topic together, each with its own options; ids in order."""
    answer = [{"messageId": "msg_1"}, [{"messageId": "msg_2", "url": "https://a"}]]
    route = respx.post(f"{QUEUE_URL}/v2/batch").mock(return_value=httpx.Response(200, json=answer))
    assert await queue.publish([MESSAGE, TO_TOPIC]) == ["msg_1", "msg_2"]
    first, second = json.loads(route.calls.last.request.content)
    assert (first["destination"], first["body"]) == (URL, MESSAGE.body)
    assert (second["destination"], second["body"]) == ("agent.agent-loop-init", "{}")
    assert first["headers"]["Upstash-Retry-Delay"] == "min(600000, 10000 * pow(2, retried))"
    assert first["headers"]["Upstash-Forward-x-event-id"] == "evt_1"
    assert "Upstash-Label" not in second["headers"]


@respx.mock
async def test_nothing_to_publish_sends_nothing(queue: QStashQueue) -> None:
    """No request."""
    assert await queue.publish([]) == []


@respx.mock
async def test_a_batch_accepted_in_part_says_which(queue: QStashQueue) -> None:
    """Those that were accepted will be delivered, so they are told apart."""
    answer = [{"messageId": "msg_1"}, {"error": "no such topic"}, [{"messageId": "msg_3", "url": "https://a"}], []]
    respx.post(f"{QUEUE_URL}/v2/batch").mock(return_value=httpx.Response(200, json=answer))
    with pytest.raises(PartialPublishError) as caught:
        await queue.publish([MESSAGE, TO_TOPIC, TO_TOPIC, TO_TOPIC])
    assert caught.value.accepted == {0: "msg_1", 2: "msg_3"}
    assert caught.value.failed == {1: "no such topic", 3: "[]"}


@pytest.mark.parametrize("answer", [[], [{"messageId": "msg_1"}], {"messageId": "msg_1"}, "ok"])
@respx.mock
async def test_a_batch_answered_with_something_else_is_an_error(queue: QStashQueue, answer: Any) -> None:
    """Nothing can be said of its messages."""
    respx.post(f"{QUEUE_URL}/v2/batch").mock(return_value=httpx.Response(200, json=answer))
    with pytest.raises(PublishError, match="answered a batch of 2 with"):
        await queue.publish([MESSAGE, MESSAGE])


@respx.mock
async def test_a_missing_topic_is_named(queue: QStashQueue) -> None:
    """With the ways out."""
    respx.post(f"{QUEUE_URL}/v2/publish/agent.agent-loop-init").mock(return_value=NOT_FOUND)
    with pytest.raises(TopicNotFoundError, match=r"no topic 'agent\.agent-loop-init'") as caught:
        await queue.publish([TO_TOPIC])
    assert caught.value.topic == "agent.agent-loop-init"


@respx.mock
async def test_a_refused_token_is_named_and_not_shown(queue: QStashQueue) -> None:
    """Where, and which settings to look at."""
    respx.post(f"{QUEUE_URL}/v2/publish/{URL}").mock(return_value=httpx.Response(401, text="unauthorized"))
    with pytest.raises(QueueUnauthorizedError, match=f"{QUEUE_URL} refused the token: check QSTASH_TOKEN") as caught:
        await queue.publish([MESSAGE])
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("fault", [httpx.ConnectError("no"), httpx.ReadError("gone"), httpx.ReadTimeout("slow")])
@respx.mock
async def test_a_queue_that_cannot_be_reached_is_named(queue: QStashQueue, fault: Exception) -> None:
    """It is asked once: whoever publishes is repeated by the queue."""
    route = respx.post(f"{QUEUE_URL}/v2/publish/{URL}").mock(side_effect=fault)
    with pytest.raises(QueueUnreachableError, match=rf"{QUEUE_URL} \({type(fault).__name__}\): check QSTASH_URL"):
        await queue.publish([MESSAGE])
    assert route.call_count == 1


@pytest.mark.parametrize("status", [400, 412, 413, 500, 503])
@respx.mock
async def test_a_refusal_says_what_the_queue_answered(queue: QStashQueue, status: int) -> None:
    """Shortened, and asked once."""
    answer = httpx.Response(status, json={"error": "quota " + "x" * 10_000})
    route = respx.post(f"{QUEUE_URL}/v2/publish/{URL}").mock(return_value=answer)
    with pytest.raises(PublishError, match=f"refused the message: .*{status}.*quota") as caught:
        await queue.publish([MESSAGE])
    assert len(str(caught.value)) < 500
    assert route.call_count == 1


@pytest.mark.parametrize("header", ["RateLimit-Limit", "Burst-RateLimit-Limit"])
@respx.mock
async def test_too_many_messages_is_an_error_that_may_pass(queue: QStashQueue, header: str) -> None:
    """Daily or burst: the SDK has a class for each, and both are publish errors."""
    respx.post(f"{QUEUE_URL}/v2/publish/{URL}").mock(return_value=httpx.Response(429, headers={header: "500"}))
    with pytest.raises(PublishError, match="limit") as caught:
        await queue.publish([MESSAGE])
    assert caught.value.retryable


@respx.mock
async def test_a_queue_that_does_not_answer_is_given_up_after_its_time_limit(queue: QStashQueue) -> None:
    """The SDK's own limit is ten minutes."""
    respx.post(url__startswith=QUEUE_URL).mock(side_effect=never)
    with pytest.raises(QueueUnreachableError, match="nothing within 1 s"):
        await queue.publish([MESSAGE])


async def never(_request: httpx.Request) -> httpx.Response:
    await asyncio.sleep(60)
    raise AssertionError("nobody waited that long")


@respx.mock
async def test_a_message_is_taken_back_by_its_id(queue: QStashQueue) -> None:
    """One that is unknown or delivered is no error."""
    route = respx.delete(f"{QUEUE_URL}/v2/messages/msg_1").mock(return_value=httpx.Response(200, json={"cancelled": 1}))
    await queue.cancel("msg_1")
    assert route.call_count == 1
    respx.delete(f"{QUEUE_URL}/v2/messages/msg_2").mock(return_value=httpx.Response(404, json={"error": "not found"}))
    await queue.cancel("msg_2")


@respx.mock
async def test_taking_back_fails_when_the_queue_does_not_answer(queue: QStashQueue) -> None:
    """The caller decides what that means."""
    respx.delete(f"{QUEUE_URL}/v2/messages/msg_1").mock(side_effect=httpx.ConnectError("no"))
    with pytest.raises(QueueUnreachableError):
        await queue.cancel("msg_1")


@pytest.mark.parametrize("base", ["https://q.example.com/region/eu", "http://127.0.0.1:8080"])
@respx.mock
async def test_the_queues_url_may_be_anywhere(base: str) -> None:
    """With a path, with a port."""
    route = respx.post(f"{base}/v2/publish/{URL}").mock(return_value=accepted())
    queue = QStashQueue(Settings(qstash_url=base, qstash_token=TOKEN))
    await queue.publish([MESSAGE])
    await queue.close()
    assert route.call_count == 1


async def test_without_a_token_nothing_is_published() -> None:
    queue = QStashQueue(Settings())
    with pytest.raises(SettingsError, match="QSTASH_TOKEN is not set"):
        await queue.publish([MESSAGE])
    await queue.close()


@respx.mock
async def test_a_closed_queue_opens_again_when_it_is_used(queue: QStashQueue) -> None:
    """A process may be woken after its connections were closed."""
    respx.post(f"{QUEUE_URL}/v2/publish/{URL}").mock(return_value=accepted())
    for _ in range(2):
        assert await queue.publish([MESSAGE]) == ["msg_1"]
        await queue.close()
