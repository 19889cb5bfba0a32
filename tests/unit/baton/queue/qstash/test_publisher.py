"""The queue through the official SDK: what goes over the wire, and each answer as an error by name."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
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
# One message for each endpoint of the topic.
TWO = [{"messageId": "m1", "url": "https://a"}, {"messageId": "m2", "url": "https://b"}]
# What an answer without a body of its own says (qstash.md 20).
NOT_FOUND = httpx.Response(404, json={"error": "topic agent.agent-loop-init not found"})


@pytest.fixture(autouse=True)
def _network() -> Iterator[None]:
    with respx.mock:
        yield


@pytest.fixture
async def queue() -> AsyncIterator[QStashQueue]:
    settings = Settings(qstash_url=QUEUE_URL, qstash_token=TOKEN, queue_timeout_seconds=1)
    made = QStashQueue(settings, FakeClock(NOW_MS))
    yield made
    await made.close()


def accepted(message_id: str = "msg_1") -> httpx.Response:
    return httpx.Response(200, json={"messageId": message_id})


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


async def test_a_later_delivery_is_a_delay_in_whole_seconds_never_too_early(queue: QStashQueue) -> None:
    """And what tells a message apart goes along. What is due by now has no delay.

    A delivery after the queue's longest delay comes early, for the queue would refuse the message: whoever gets it
    publishes it again.
    """
    route = respx.post(f"{QUEUE_URL}/v2/publish/{URL}").mock(return_value=accepted())
    waits = [(-5_000, None), (0, None), (1, "1s"), (60_000, "60s"), (60_001, "61s")]
    for wait_ms, delay in (*waits, (30 * 86_400_000, f"{7 * 86_400}s")):
        later = Outgoing(body="{}", url=URL, not_before_ms=NOW_MS + wait_ms, deduplication_id="evt_1.msg_1.0")
        await queue.publish([later])
        headers = route.calls.last.request.headers
        assert (headers.get("upstash-delay"), headers["upstash-deduplication-id"]) == (delay, "evt_1.msg_1.0")
        assert "upstash-not-before" not in headers


@pytest.mark.parametrize(
    ("message", "status", "answer", "message_id"),
    [
        pytest.param(TO_TOPIC, 200, TWO, "m1", id="one for each of a topic's URLs"),
        pytest.param(MESSAGE, 202, {"messageId": "m0", "deduplicated": True}, "m0", id="a duplicate has the first's"),
    ],
)
async def test_a_message_has_the_id_of_the_first(
    queue: QStashQueue, message: Outgoing, status: int, answer: Any, message_id: str
) -> None:
    route = respx.post(f"{QUEUE_URL}/v2/publish/{message.url or message.topic}")
    route.mock(return_value=httpx.Response(status, json=answer))
    assert await queue.publish([message]) == [message_id]
    assert route.call_count == 1
    assert await queue.publish([]) == []


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (httpx.Response(401, text="unauthorized"), QueueUnauthorizedError, "refused the token: check QSTASH_TOKEN"),
        (httpx.ConnectError("no"), QueueUnreachableError, r"\(ConnectError\): check QSTASH_URL"),
        (httpx.ReadTimeout("slow"), QueueUnreachableError, r"\(ReadTimeout\): check QSTASH_URL"),
        (
            httpx.Response(400, json={"error": "quota " + "x" * 10_000}),
            PublishError,
            "refused the message: .*400.*quota",
        ),
        (httpx.Response(404, text="nothing here"), PublishError, "404"),
        (httpx.Response(503, json={"error": "quota"}), PublishError, "refused the message: .*503.*quota"),
        (httpx.Response(429, headers={"RateLimit-Limit": "500"}), PublishError, "limit"),
        (httpx.Response(429, headers={"Burst-RateLimit-Limit": "500"}), PublishError, "limit"),
    ],
)
async def test_a_refusal_is_an_error_by_name_that_says_what_the_queue_answered(
    queue: QStashQueue, answer: httpx.Response | Exception, kind: type[PublishError], message: str
) -> None:
    """Shortened, without the token, and asked once: whoever publishes is repeated by the queue."""
    route = respx.post(f"{QUEUE_URL}/v2/publish/{URL}").mock(side_effect=[answer])
    with pytest.raises(kind, match=message) as caught:
        await queue.publish([MESSAGE])
    shown = str(caught.value)
    assert (len(shown) < 500, TOKEN in shown, "topic ''" in shown, QUEUE_URL in shown) == (True, False, False, True)
    assert caught.value.retryable or not (isinstance(answer, httpx.Response) and answer.status_code == 429)
    assert route.call_count == 1


@pytest.mark.parametrize("answer", ["<html>", "", "[]", "{}", '"ok"', '[{"messageId": "msg_1"}]'])
async def test_an_answer_of_another_form_is_an_error(queue: QStashQueue, answer: str) -> None:
    """Nothing can be said of its messages."""
    respx.post(url__startswith=QUEUE_URL).mock(return_value=httpx.Response(200, text=answer))
    with pytest.raises(PublishError, match=r"answered a batch of 2 with|no usable answer"):
        await queue.publish([MESSAGE, MESSAGE])
    if "msg_1" not in answer:
        with pytest.raises(PublishError, match="no usable answer"):
            await queue.publish([MESSAGE])


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


async def test_a_batch_accepted_in_part_says_which(queue: QStashQueue) -> None:
    """Those that were accepted will be delivered, so they are told apart."""
    answer = [{"messageId": "msg_1"}, {"error": "no such topic"}, [{"messageId": "msg_3", "url": "https://a"}], []]
    respx.post(f"{QUEUE_URL}/v2/batch").mock(return_value=httpx.Response(200, json=answer))
    with pytest.raises(PartialPublishError) as caught:
        await queue.publish([MESSAGE, TO_TOPIC, TO_TOPIC, TO_TOPIC])
    assert caught.value.accepted == {0: "msg_1", 2: "msg_3"}
    assert caught.value.failed == {1: "no such topic", 3: "[]"}


async def test_a_missing_topic_is_named(queue: QStashQueue) -> None:
    """With the ways out."""
    respx.post(f"{QUEUE_URL}/v2/publish/agent.agent-loop-init").mock(return_value=NOT_FOUND)
    with pytest.raises(TopicNotFoundError, match=r"no topic 'agent\.agent-loop-init'") as caught:
        await queue.publish([TO_TOPIC])
    assert caught.value.topic == "agent.agent-loop-init"


async def test_a_queue_that_does_not_answer_is_given_up_after_its_time_limit(queue: QStashQueue) -> None:
    """The SDK's own limit is ten minutes."""
    respx.post(url__startswith=QUEUE_URL).mock(side_effect=never)
    with pytest.raises(QueueUnreachableError, match="nothing within 1 s"):
        await queue.publish([MESSAGE])


async def never(_request: httpx.Request) -> httpx.Response:
    await asyncio.sleep(60)
    raise AssertionError("nobody waited that long")


async def test_a_message_is_taken_back_by_its_id(queue: QStashQueue) -> None:
    """One that is unknown or delivered is no error; what an outage means is the caller's to decide."""
    route = respx.delete(f"{QUEUE_URL}/v2/messages/msg_1").mock(return_value=httpx.Response(200, json={"cancelled": 1}))
    await queue.cancel("msg_1")
    assert route.call_count == 1
    respx.delete(f"{QUEUE_URL}/v2/messages/msg_2").mock(return_value=httpx.Response(404, json={"error": "not found"}))
    await queue.cancel("msg_2")
    route.mock(side_effect=httpx.ConnectError("no"))
    with pytest.raises(QueueUnreachableError):
        await queue.cancel("msg_1")


@pytest.mark.parametrize("base", ["https://q.example.com/region/eu", "http://127.0.0.1:8080"])
async def test_the_queues_url_may_be_anywhere_and_a_closed_queue_opens_again(base: str) -> None:
    """A process may be woken after its connections were closed."""
    route = respx.post(f"{base}/v2/publish/{URL}").mock(return_value=accepted())
    queue = QStashQueue(Settings(qstash_url=base, qstash_token=TOKEN))
    for number in (1, 2):
        assert await queue.publish([MESSAGE]) == ["msg_1"]
        await queue.close()
        assert route.call_count == number


async def test_without_a_token_nothing_is_published() -> None:
    queue = QStashQueue(Settings())
    with pytest.raises(SettingsError, match="QSTASH_TOKEN is not set"):
        await queue.publish([MESSAGE])
    await queue.close()
