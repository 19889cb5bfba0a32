"""What is published at the same time goes in one batch; each publisher has what it would have had alone."""

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
    QueueRefusedError,
    QueueUnauthorizedError,
    QueueUnreachableError,
    TopicNotFoundError,
)
from baton_events.messages import Outgoing

QUEUE_URL = "https://queue.example.com"
REFUSED, UNKNOWN = "refused", "agent.unknown"


def message(body: str, *, url: str = "https://fn.example.com/workers/agent-loop", topic: str = "") -> Outgoing:
    return Outgoing(body=body, url="" if topic else url, topic=topic)


class Queue:
    """Accepts messages one by one; what has a bad destination alone or in a batch, as the queue does."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.alone: list[str] = []
        self.whole: httpx.Response | Exception | None = None  # what a batch is answered with, if not one by one
        self.alone_let_go = asyncio.Event()
        self.alone_let_go.set()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v2/batch":
            return self._batch(json.loads(request.content))
        body = request.content.decode()
        self.alone.append(body)
        await self.alone_let_go.wait()
        status, answer = self._answer(request.url.path.removeprefix("/v2/publish/"), body)
        return httpx.Response(status, json=answer)

    def _batch(self, items: list[dict[str, Any]]) -> httpx.Response:
        self.batches.append([item["body"] for item in items])
        if isinstance(self.whole, Exception):
            raise self.whole
        if self.whole is not None:
            return self.whole
        return httpx.Response(200, json=[self._answer(item["destination"], item["body"])[1] for item in items])

    @staticmethod
    def _answer(destination: str, body: str) -> tuple[int, dict[str, str]]:
        if REFUSED in destination:
            return 400, {"error": "invalid destination"}
        if destination == UNKNOWN:
            return 404, {"error": "topic not found"}
        return 200, {"messageId": f"msg_{body}"}


@pytest.fixture
def server() -> Iterator[Queue]:
    made = Queue()
    with respx.mock:
        respx.post(url__startswith=QUEUE_URL).mock(side_effect=made)
        yield made


@pytest.fixture
async def queue(server: Queue) -> AsyncIterator[QStashQueue]:
    made = QStashQueue(Settings(qstash_url=QUEUE_URL, qstash_token="t", queue_timeout_seconds=1))
    yield made
    await made.close()


async def test_publishers_at_the_same_time_share_a_batch(server: Queue, queue: QStashQueue) -> None:
    answers = await asyncio.gather(
        queue.publish([message("a")]), queue.publish([message("b"), message("c")]), queue.publish([message("d")])
    )
    assert list(answers) == [["msg_a"], ["msg_b", "msg_c"], ["msg_d"]]
    assert (server.batches, server.alone) == ([["a", "b", "c", "d"]], [])


async def test_one_message_at_a_time_is_published_by_itself(server: Queue, queue: QStashQueue) -> None:
    """As without company."""
    for body in "ab":
        assert await queue.publish([message(body)]) == [f"msg_{body}"]
    assert (server.batches, server.alone) == ([], ["a", "b"])


async def test_a_message_that_is_refused_in_company_fails_as_it_would_alone(server: Queue, queue: QStashQueue) -> None:
    """It is asked about alone, since a batch does not say of which kind the error is; the others are not sent again."""
    answers = await asyncio.gather(
        queue.publish([message("a")]),
        queue.publish([message("b", url=f"https://{REFUSED}")]),
        queue.publish([message("c", topic=UNKNOWN)]),
        queue.publish([message("d"), message("e", topic=UNKNOWN)]),
        return_exceptions=True,
    )
    assert answers[0] == ["msg_a"]
    assert [type(answer) for answer in answers[1:]] == [QueueRefusedError, TopicNotFoundError, PartialPublishError]
    assert isinstance(answers[3], PartialPublishError)
    assert (answers[3].accepted, set(answers[3].failed)) == ({0: "msg_d"}, {1})
    assert (len(server.batches), sorted(server.alone)) == (1, ["b", "c"])


async def test_who_is_asked_about_alone_keeps_nobody_waiting(server: Queue, queue: QStashQueue) -> None:
    """Those who were accepted with it have their ids before."""
    server.alone_let_go.clear()
    good, bad = (
        asyncio.ensure_future(queue.publish([message(body, url=url)]))
        for body, url in (("a", "https://fn.example.com"), ("b", f"https://{REFUSED}"))
    )
    assert await good == ["msg_a"]
    assert not bad.done()
    server.alone_let_go.set()
    with pytest.raises(QueueRefusedError):
        await bad


@pytest.mark.parametrize("status", [400, 404, 412, 413, 422])
async def test_a_batch_that_is_refused_as_a_whole_is_published_one_by_one(
    server: Queue, queue: QStashQueue, status: int
) -> None:
    server.whole = httpx.Response(status, json={"error": "malformed"})
    answers = await asyncio.gather(
        queue.publish([message("a")]), queue.publish([message("b", url=f"https://{REFUSED}")]), return_exceptions=True
    )
    assert answers[0] == ["msg_a"]
    assert isinstance(answers[1], QueueRefusedError)


@pytest.mark.parametrize(
    ("whole", "kind"),
    [
        (httpx.Response(401, text="no"), QueueUnauthorizedError),
        (httpx.ReadError("cut"), QueueUnreachableError),
        (httpx.Response(500, json={"error": "gone"}), PublishError),
        (httpx.Response(429, json={"error": "slower"}), PublishError),
        (httpx.Response(200, json=[{"messageId": "msg_a"}]), PublishError),
    ],
    ids=["token", "cut", "fault", "limit", "too few"],
)
async def test_a_batch_that_fails_fails_for_all_in_it_and_is_not_sent_again(
    server: Queue, queue: QStashQueue, whole: httpx.Response | Exception, kind: type[Exception]
) -> None:
    """Some of it may have been accepted: the queue repeats what published it."""
    server.whole = whole
    answers = await asyncio.gather(*[queue.publish([message(body)]) for body in "ab"], return_exceptions=True)
    assert all(isinstance(answer, kind) for answer in answers), answers
    assert (server.batches, server.alone) == ([["a", "b"]], [])


def test_a_process_may_use_one_event_loop_after_the_other(server: Queue) -> None:
    queue = QStashQueue(Settings(qstash_url=QUEUE_URL, qstash_token="t"))
    clients = []

    async def use() -> list[list[str]]:
        answers = await asyncio.gather(*[queue.publish([message(body)]) for body in "ab"])
        clients.append(queue._client.sdk)
        return list(answers)

    assert [asyncio.run(use()), asyncio.run(use())] == [[["msg_a"], ["msg_b"]]] * 2
    assert clients[0] is not clients[1]
