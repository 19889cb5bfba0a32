"""The queue of a simulation: at least once, with retries, time-outs, deduplication and failure callbacks (qstash.md).

Invariant: a message is settled by an answer, or is delivered again; a process that dies gives no answer. Must not: know
a message's content. A delivery's headers, and the callback about a message that was given up, are as qstash.md 7-11 has
them.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass

from baton.queue.redis import outcomes
from baton.queue.redis.publisher import Kept
from baton.testing import asgi
from baton.testing.asgi import Answer
from baton.testing.process import PROCESS, Surroundings
from baton.testing.virtual_loop import Crashed
from baton_events.messages import Outgoing
from baton_events.schema import function_of


def delivery_headers(outgoing: Outgoing, message_id: str, retried: int, signature: str) -> dict[str, str]:
    """Build the headers of one delivery, the frequently read ones first, since readers compare in order."""
    return {
        "upstash-signature": signature,
        "upstash-message-id": message_id,
        "upstash-retried": str(retried),
        "content-type": "application/json",
        **outgoing.headers,
    }


def callback_of(message_id: str, outgoing: Outgoing, retried: int, answer: Answer | None, now_ms: int) -> Outgoing:
    """Build the message that reports the failure; `answer`: the last one, if any came."""
    last = outcomes.Attempt(answer.status, body=answer.body) if answer else outcomes.Attempt(error="connection closed")
    return outcomes.failure_report(message_id, Kept(outgoing, now_ms), retried, last).message


DEDUPLICATION_SECONDS = 600.0
LONGEST_DELAY_SECONDS = 7 * 86_400.0
_HOP_SECONDS, _LATEST_SECONDS, _AGAIN_SECONDS = 0.01, 5.0, 30.0
_REORDER, _DUPLICATE, _LAG = 1, 2, 3
_FINAL = 489
_NO_PROVIDER = (
    "an agent with offload has its model asked over the network, which a simulation has not: play one with a model for"
    " tests, as in dataclasses.replace(agent, model=…, offload='')"
)


@dataclass(eq=False)
class Attempt:
    """One delivery of a message; `over`: its answer no longer counts."""

    message_id: str
    outgoing: Outgoing
    retried: int = 0
    over: bool = False


class SimulatedQueue:
    """`Queue` that delivers to the processes of a world; `base_url`: the beginning of their endpoints."""

    def __init__(self, world: Surroundings, base_url: str) -> None:
        self._world, self._base_url = world, base_url
        self.accepted = 0
        self._seen: dict[str, tuple[float, str]] = {}
        self._cancelled: set[str] = set()

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        if not messages:
            return []
        await self._world.point("before it dispatches what follows")
        ids = [self.accept(message) for message in messages]
        await self._world.point("after it has dispatched what follows")
        return ids

    async def cancel(self, message_id: str) -> None:
        self._cancelled.add(message_id)

    async def close(self) -> None:
        """Do nothing: no connection is open."""

    def accept(self, outgoing: Outgoing) -> str:
        """Accept a message, or answer a repeated one with the id of the first."""
        if outgoing.callback:  # a request to a provider
            self._world.loop.refused = _NO_PROVIDER
        now, key = self._world.loop.seconds, outgoing.deduplication_id
        until, known = self._seen.get(key, (0.0, ""))
        if key and now < until:
            return known
        self.accepted += 1
        message_id = f"msg_{self.accepted}"
        self._seen[key] = (now + DEDUPLICATION_SECONDS, message_id)
        delay = math.ceil((outgoing.not_before_ms - self._world.now_ms()) / 1000) if outgoing.not_before_ms else 0
        self._schedule(message_id, outgoing, min(max(delay, 0), LONGEST_DELAY_SECONDS))
        return message_id

    def _schedule(self, message_id: str, outgoing: Outgoing, delay: float) -> None:
        dice, faults = self._world.dice, self._world.faults
        if "reorder" in faults:
            delay += _LATEST_SECONDS * dice.roll(_REORDER, self.accepted)
        self._deliver(Attempt(message_id, outgoing), delay)
        if "duplicates" in faults and dice.chance(0.5, _DUPLICATE, self.accepted):
            self._deliver(Attempt(message_id, outgoing), delay + _AGAIN_SECONDS * dice.roll(_LAG, self.accepted))

    def _deliver(self, attempt: Attempt, delay: float) -> None:
        self._later(delay + _HOP_SECONDS, lambda: self._begin(attempt))

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        """Act at that time, outside of the calling process: the queue's actions outlive it."""
        self._world.loop.call_later(seconds, act, context=Context())

    def _begin(self, attempt: Attempt) -> None:
        if attempt.message_id in self._cancelled:
            return
        process = self._world.process()
        task = self._world.loop.create_task(self._run(attempt), context=process.context())
        process.deliveries[task] = lambda: self._later(0, lambda: self._answered(attempt, None))
        task.add_done_callback(lambda _: process.deliveries.pop(task), context=Context())
        self._later(attempt.outgoing.timeout_seconds, lambda: self._answered(attempt, None))

    async def _run(self, attempt: Attempt) -> None:
        outgoing, path = attempt.outgoing, attempt.outgoing.url.removeprefix(self._base_url)
        headers = delivery_headers(outgoing, attempt.message_id, attempt.retried, "simulated")
        app = PROCESS.get().apps[function_of(path)]
        answer: asgi.Answer | None = None
        with contextlib.suppress(Crashed, asyncio.CancelledError):
            answer = await asgi.request(app, path, headers, outgoing.body.encode())
        self._answered(attempt, answer)

    def _answered(self, attempt: Attempt, answer: asgi.Answer | None) -> None:
        if attempt.over:
            return
        attempt.over = True
        if answer is None or answer.status >= asgi.MULTIPLE_CHOICES:
            self._failed(attempt, answer)
        self._world.delivered()

    def _failed(self, attempt: Attempt, answer: asgi.Answer | None) -> None:
        outgoing = attempt.outgoing
        if attempt.retried < outgoing.retries and (answer is None or answer.status != _FINAL):
            wanted = answer.headers.get("retry-after") if answer is not None else None
            seconds = float(wanted) if wanted else outgoing.waits.wait_ms(attempt.retried) / 1000
            self._deliver(Attempt(attempt.message_id, outgoing, attempt.retried + 1), seconds)
        elif outgoing.failure_callback:
            self.accept(callback_of(attempt.message_id, outgoing, attempt.retried, answer, self._world.now_ms()))
