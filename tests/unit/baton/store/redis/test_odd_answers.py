"""A store or a queue that answers garbage, over real sockets: an error, asked once, no write taken as done."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from baton.engine.commit.patch import Patch
from baton.queue.qstash.publisher import QStashQueue
from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection, counted
from baton_events.errors import PublishError, StoreError
from baton_events.messages import Outgoing
from baton_events.publisher import SdkPublisher
from tests.unit.baton.store.transport.test_http1 import serving


def _answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def _json(value: Any, status: int = 200) -> bytes:
    return _answer(status, json.dumps(value).encode())


DONE = {"result": "OK", "messageId": "msg_1"}
WRITTEN = {"result": [1, 1, []], "messageId": "msg_1"}
# No answer at all, to whatever was asked.
GARBAGE = {
    "a page": _answer(200, b"<html>", "Content-Type: text/html"),
    "nothing": _answer(200),
    "no content": b"HTTP/1.1 204 X\r\n\r\n",
    "a list": _json([]),
    "a text": _json("x"),
    "null": _json(None),
    "a redirect": _answer(302, b"", "Location: http://127.0.0.1:1/"),
    "a redirect with an answer": _json(DONE, 307),
    "a limit with an answer": _json(WRITTEN, 429),
    "a failure with an answer": _json(WRITTEN, 500),
    "a limit in words": _answer(429, b"slow down"),
    "a limit until a date": _answer(429, b'{"error": "limit"}', "Retry-After: Wed, 21 Oct 2065 07:28:00 GMT"),
    "a limit for less than nothing": _answer(429, b"{}", "Retry-After: -5"),
    "a limit for ever": _answer(429, b"{}", "Retry-After: inf"),
    "packed and cut": _answer(200, b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xab", "Content-Encoding: gzip"),
    "not packed": _answer(200, b"{}", "Content-Encoding: gzip"),
    "longer than it says": _json(WRITTEN).replace(b"Content-Length: 4", b"Content-Length: 2"),
    "nested without end": _answer(200, b"[" * 100_000),
    "an id that is none": _json({"messageId": None, "result": None}),
    "an empty id": _json({"messageId": "", "result": {}}),
    "a number as id": _json({"messageId": 5, "result": 5}),
    "text for a list": _json({"result": "OK"}),
    "a list of text": _json({"result": ["x"]}),
    "too short": _json({"result": []}),
}
# What a script of another kind may answer.
OF_OTHER_SCRIPTS = {
    "one part": _json({"result": [1]}),
    "two parts": _json({"result": [1, {}]}),
    "reads that are none": _json({"result": [1, 1, 5]}),
    "a read that is none": _json({"result": [1, 1, [5]]}),
    "no word whether it is written": _json({"result": [1, {}, []]}),
}


def _patch() -> Patch:
    patch = Patch(1_000_000)
    patch.read([["GET", "k"]])
    return patch


MESSAGE = Outgoing(url="http://x.example/a", body="{}")
Sends = Callable[[RedisConnection, QStashQueue, SdkPublisher], Coroutine[Any, Any, Any]]
APPLYING: list[Sends] = [
    lambda store, *_: store.written(_patch()),
    lambda store, *_: store.read(["GET", "k"]),
    lambda store, *_: store.read_each([[["GET", "k"]]]),
]
OTHERS: list[Sends] = [
    lambda store, *_: store.run(counted("return 1"), ["k"], [1]),
    lambda _, queue, __: queue.publish([MESSAGE]),
    lambda _, queue, __: queue.publish([MESSAGE, MESSAGE]),
    lambda *each: each[2].publish([MESSAGE]),
    lambda *each: each[2].publish([MESSAGE, MESSAGE]),
]


@pytest.mark.parametrize("answer", [*GARBAGE, *OF_OTHER_SCRIPTS])
async def test_what_is_no_answer_is_an_error_and_is_requested_once(answer: str) -> None:
    wire = GARBAGE.get(answer) or OF_OTHER_SCRIPTS[answer]
    async with serving(wire, closes=True) as served:
        settings = Settings(
            redis_url=served.url, redis_token="t", qstash_url=served.url, qstash_token="t", store_timeout_seconds=5
        )
        doors = RedisConnection(settings), QStashQueue(settings), SdkPublisher(settings)
        sends = [*APPLYING, *(OTHERS if answer in GARBAGE else [])]
        for send in sends:
            with pytest.raises(
                (StoreError, PublishError), match=r"the (store|queue) (at|answered)|not accepted|refused"
            ):
                await send(*doors)
        for door in doors:
            await door.close()
        assert len(served.requests) == len(sends)


async def test_a_write_whose_answer_has_no_form_is_not_taken_as_done() -> None:
    """A plain command's answer has no form to check, but its status."""
    for status in (307, 429, 500):
        async with serving(_json(DONE, status), closes=True) as served:
            store = RedisConnection(Settings(redis_url=served.url, redis_token="t"))
            with pytest.raises(StoreError, match=f"status {status}"):
                await store.execute("SET", "k", "v")
            await store.close()
