"""One pump after another over a Redis in this process, and a destination that answers when the test says so."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import nullcontext

import pytest

from baton.queue.redis.in_store import QueueInStore
from baton.sdk.clock import SystemClock, SystemRandomness
from baton.store.redis.in_process.server import InProcessConnection, InProcessRedis
from baton_events.errors import SignatureError
from baton_events.messages import Flow, Outgoing, RetryWaits
from tests.contract.qstash.destination import Destination, Received, Reply

FINAL = (("Upstash-NonRetryable-Error", "true"),)


class Stack:
    """A queue with its pump, which may be stopped and followed by another. `answers`: None is one that never comes."""

    def __init__(self, destination: Destination) -> None:
        self.destination, self.url = destination, destination.url("/x")
        self.answers: list[Reply | None] = []
        self.over = threading.Event()
        destination.replies["/x"] = self._answer
        self._connection = InProcessConnection(InProcessRedis(SystemClock().now_ms))
        self.queue, self._pump = self.process(), asyncio.create_task(asyncio.sleep(0))

    def _answer(self, _: Received) -> Reply:
        answer = self.answers.pop(0) if self.answers else Reply()
        return Reply() if answer is None and self.over.wait() else answer or Reply()

    def process(self, *keys: str) -> QueueInStore:
        return QueueInStore(self._connection, SystemClock(), SystemRandomness(), *keys)

    async def start(self, *keys: str) -> None:
        await self.stop()
        self._pump = asyncio.create_task(self.process(*keys).pump().run())

    async def stop(self) -> None:
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)

    async def came(self, count: int) -> list[Received]:
        return await asyncio.to_thread(self.destination.wait, "/x", count)

    async def end(self) -> tuple[int, str]:
        """Status and answer of the only message's last attempt."""
        for _ in range(1_000):
            entry = (await self.queue.records.log(limit=1)).entries[0]
            if entry.state in ("DELIVERED", "FAILED"):
                return entry.status, entry.answer
            await asyncio.sleep(0.01)
        raise TimeoutError("it has not ended")


@pytest.fixture
async def stack() -> AsyncIterator[Stack]:
    with Destination() as destination:
        made = Stack(destination)
        await made.start()
        yield made
        made.over.set()
        await made.stop()


async def test_a_pump_that_is_stopped_gives_back_what_it_delivers(stack: Stack) -> None:
    """The next one has it at once, not when its lease is over, and as if nobody had tried."""
    stack.answers = [None]
    (name,) = await stack.queue.queue.publish([Outgoing("{}", url=stack.url)])
    await stack.came(1)
    await stack.start()
    seen = [(each.headers["upstash-message-id"], each.headers["upstash-retried"]) for each in await stack.came(2)]
    assert seen == [(name, "0")] * 2


async def test_keys_are_rolled_while_a_message_waits_for_its_retry(stack: Stack) -> None:
    """Who has read the keys before, and who reads them now, takes both attempts; a third key's is refused."""
    before, now, later = (stack.process().verifier for _ in range(3))
    await before.know_keys()
    stack.answers = [Reply(503)]
    await stack.queue.queue.publish([Outgoing('{"n":1}', url=stack.url, waits=RetryWaits(200))])
    await stack.came(1)
    await stack.queue.setup.roll_signing_keys()
    await stack.start()  # a pump that reads them anew
    came = await stack.came(2)
    await now.know_keys()
    for request in came:
        for each in (before, now):
            each.check_body(each.signed_digest(request.headers["upstash-signature"], stack.url), request.body)
    for _ in range(2):
        await stack.queue.setup.roll_signing_keys()
    await later.know_keys()
    with pytest.raises(SignatureError):
        later.signed_digest(came[0].headers["upstash-signature"], stack.url)


async def test_keys_that_are_given_are_swapped_first(stack: Stack) -> None:
    one, other, third = (f"sig_{letter * 28}" for letter in "abc")
    await stack.start(one, other)
    await stack.queue.queue.publish([Outgoing("{}", url=stack.url)])
    (request,) = await stack.came(1)
    for keys, is_taken in (((one, other), True), ((other, one), True), ((other, third), False), ((), False)):
        await (verifier := stack.process(*keys).verifier).know_keys()
        with nullcontext() if is_taken else pytest.raises(SignatureError):
            verifier.signed_digest(request.headers["upstash-signature"], stack.url)


@pytest.mark.parametrize(
    ("answer", "attempts", "ends"),
    [
        (Reply(489, b"\xff\xfe", FINAL), 1, (489, "\ufffd\ufffd")),
        (Reply(489), 2, (200, "ok")),
        (Reply(500, headers=(*FINAL, ("Retry-After", "0"))), 2, (200, "ok")),
    ],
    ids=["gives up", "489 by accident", "comes again"],
)
async def test_an_answer_says_whether_the_message_comes_again(
    stack: Stack, answer: Reply, attempts: int, ends: tuple[int, str]
) -> None:
    """The body of an answer that is no text is shown as far as it is one."""
    stack.answers = [answer]
    await stack.queue.queue.publish([Outgoing("{}", url=stack.url, waits=RetryWaits(100))])
    assert await stack.end() == ends
    assert len(stack.destination.at("/x")) == attempts


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/x", "", "http://[::1", "http://127.0.0.1:99999/x", "http://\ud7ff..x/"]
)
async def test_an_address_that_nobody_can_be_sent_to_ends_as_a_dead_letter(stack: Stack, url: str) -> None:
    await stack.queue.queue.publish([Outgoing("{}", url=url, retries=0, flow=Flow("any;number|of", 0))])
    assert await stack.end() == (0, "")
    assert [each.message.url for each in (await stack.queue.records.dead_letters()).letters] == [url]
