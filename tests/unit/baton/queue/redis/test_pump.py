"""One pump after another over a Redis in this process, and a destination that answers when the test says so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from baton.queue.redis.in_store import QueueInStore
from baton.sdk.clock import SystemClock, SystemRandomness
from baton.store.redis.in_process.server import InProcessConnection, InProcessRedis
from baton_events.errors import SignatureError
from baton_events.messages import Outgoing, RetryWaits

SECONDS = 10


async def _head(reader: asyncio.StreamReader) -> bytes:
    with suppress(asyncio.IncompleteReadError):
        return await reader.readuntil(b"\r\n\r\n")
    return b""  # it was hung up


class Destination:
    """Answers each request by `answers`; None: not before it is hung up."""

    def __init__(self) -> None:
        self.answers: list[bytes | None] = []
        self.came: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            lines = (line.partition(": ") for line in head.decode().splitlines()[1:])
            headers = {name.lower(): text for name, _, text in lines}
            self.came.put_nowait((headers, await reader.readexactly(int(headers["content-length"]))))
            answer = self.answers.pop(0) if self.answers else b"200 OK\r\ncontent-length: 0\r\n\r\n"
            if answer is not None:
                writer.write(b"HTTP/1.1 " + answer)
        writer.close()

    async def next(self) -> tuple[dict[str, str], bytes]:
        async with asyncio.timeout(SECONDS):
            return await self.came.get()


class Stack:
    """A queue with its pump, which may be stopped and followed by another."""

    def __init__(self, destination: Destination, url: str) -> None:
        self.destination, self.url = destination, url
        self._connection = InProcessConnection(InProcessRedis(SystemClock().now_ms))
        self.queue, self._pump = self.process(), asyncio.create_task(asyncio.sleep(0))

    def process(self) -> QueueInStore:
        return QueueInStore(self._connection, SystemClock(), SystemRandomness())

    async def start(self) -> None:
        await self.stop()
        self._pump = asyncio.create_task(self.process().pump().run())

    async def stop(self) -> None:
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)

    async def end(self) -> tuple[int, str]:
        """Status and answer of the only message's last attempt."""
        for _ in range(100 * SECONDS):
            for state in ("DELIVERED", "FAILED"):
                for entry in (await self.queue.records.log(state=state)).entries:
                    return entry.status, entry.answer
            await asyncio.sleep(0.01)
        raise TimeoutError("it has not ended")


@pytest.fixture
async def stack() -> AsyncIterator[Stack]:
    destination = Destination()
    server = await asyncio.start_server(destination.serve, "127.0.0.1", 0)
    made = Stack(destination, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x")
    await made.start()
    yield made
    await made.stop()
    server.close()


async def test_a_pump_that_is_stopped_gives_back_what_it_delivers(stack: Stack) -> None:
    """The next one has it at once, not when its lease is over, and as if nobody had tried."""
    stack.destination.answers = [None]
    (name,) = await stack.queue.queue.publish([Outgoing("{}", url=stack.url)])
    first, _ = await stack.destination.next()
    await stack.start()
    second, _ = await stack.destination.next()
    seen = [(each["upstash-message-id"], each["upstash-retried"]) for each in (first, second)]
    assert seen == [(name, "0")] * 2


async def test_keys_are_rolled_while_a_message_waits_for_its_retry(stack: Stack) -> None:
    """Who has read the keys before, and who reads them now, takes the next attempt; a third key's is refused."""
    before, now = stack.process().verifier, stack.process().verifier
    await before.know_keys()
    stack.destination.answers = [b"503 -\r\ncontent-length: 0\r\n\r\n"]
    await stack.queue.queue.publish([Outgoing('{"n":1}', url=stack.url, waits=RetryWaits(200))])
    came = [await stack.destination.next()]
    await stack.queue.setup.roll_signing_keys()
    await stack.start()  # a pump that reads them anew
    came.append(await stack.destination.next())
    await now.know_keys()
    for headers, body in came:
        for each in (before, now):
            each.check_body(each.signed_digest(headers["upstash-signature"], stack.url), body)
    for _ in range(2):
        await stack.queue.setup.roll_signing_keys()
    later = stack.process().verifier
    await later.know_keys()
    with pytest.raises(SignatureError):
        later.signed_digest(came[0][0]["upstash-signature"], stack.url)


@pytest.mark.parametrize(
    ("answer", "ends"),
    [
        (b"489 -\r\nUpstash-NonRetryable-Error: true\r\ncontent-length: 2\r\n\r\n\xff\xfe", (1, 489, "\ufffd\ufffd")),
        (b"489 -\r\ncontent-length: 2\r\n\r\nno", (2, 200, "")),
        (b"500 -\r\nRetry-After: 0\r\ncontent-length: 2\r\n\r\nno", (2, 200, "")),
    ],
    ids=["gives up", "489 by accident", "comes again"],
)
async def test_an_answer_says_whether_the_message_comes_again(
    stack: Stack, answer: bytes, ends: tuple[int, int, str]
) -> None:
    """The body of an answer that is no text is shown as far as it is one."""
    stack.destination.answers = [answer]
    await stack.queue.queue.publish([Outgoing("{}", url=stack.url, waits=RetryWaits(100))])
    for _ in range(ends[0]):
        await stack.destination.next()
    assert await stack.end() == ends[1:]
    assert stack.destination.came.empty()
