"""The pump: leases messages that are due, delivers each by a signed POST, and settles what became of it.

Any number of pumps may run; none is special. Invariants: a message is settled by the lease that it was delivered
under, or not at all. A lease is renewed while its answer is awaited, so a message comes twice only where a pump died
or was cut off. What follows from an attempt (a callback) is published before the attempt is settled.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from contextvars import copy_context
from functools import lru_cache
from math import inf

import httpx
from msgspec import Struct
from msgspec.json import encode

from baton.queue.redis.outcomes import SUCCESS, Attempt, Dead, answered, brought_to, dead_id, failure_report
from baton.queue.redis.publisher import LEASE_MS, Kept, RedisQueue, kept_in
from baton.queue.redis.schedules import RedisSchedules
from baton.queue.redis.shards import SHARDS, Shards, shard_in, shard_keys
from baton.queue.redis.signing import KeysInStore, signature_of
from baton.sdk.clock import Clock, Randomness
from baton.store.transport.http import Headers, posting
from baton.store.transport.http1 import Http1Transport
from baton_events.bounded import OWN_LIMIT_BYTES
from baton_events.errors import BatonError, PublishError
from baton_events.proxies import AsyncEnvironmentTransport, proxy_for, tls_context

_log = logging.getLogger("baton.pump")

# How many deliveries a pump has under way; a claim takes some of the free places.
AT_ONCE, _CLAIM = 256, 64
_RENEW_SECONDS = 6.0
# How often a pump looks at all shards where nothing tells it of news; in a cluster each shard is asked by itself.
IDLE_SECONDS, _CLUSTER_IDLE_SECONDS = 0.5, 8.0
_SCHEDULES_SECONDS = 1.0
_AFTER_ERROR_SECONDS = 1.0
# Shorter than a server keeps an idle connection.
_KEPT_SECONDS = 4


@lru_cache(256)
def _reached(url: str) -> tuple[httpx.URL, bool]:
    return httpx.URL(url), proxy_for(url) is not None


class _Claimed(Struct):
    id: str
    lease: str
    retried: int
    kept: Kept


class Pump:
    """Delivers, until it is stopped. `is_stopping`: it takes no more."""

    def __init__(
        self,
        queue: RedisQueue,
        access: Shards,
        keys: KeysInStore,
        schedules: RedisSchedules,
        world: tuple[Clock, Randomness],
        is_stopping: Callable[[], bool] = bool,
    ) -> None:
        self._queue, self._shards, self._keys, self._schedules = queue, access, keys, schedules
        self._clock, randomness = world
        self._name, self._count, self._is_stopping = randomness.token(), 0, is_stopping
        self._is_cluster, self._idle_seconds = False, IDLE_SECONDS  # until the store refuses a claim of all shards
        self._next = [0.0] * SHARDS  # when something is due in a shard, by the event loop's clock
        self._look_at = 0.0  # when to look at all of them, whatever is known
        self._news, self._free = asyncio.Event(), asyncio.Event()
        self._tasks: dict[asyncio.Task[None], _Claimed] = {}
        self._transports: dict[bool, httpx.AsyncBaseTransport] = {}
        self._context = copy_context()
        queue.taker = self

    async def run(self) -> None:
        """Deliver until cancelled; then give back what is under way."""
        limits = httpx.Limits(
            max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE, keepalive_expiry=_KEPT_SECONDS
        )
        self._context = copy_context()
        proxied = AsyncEnvironmentTransport(limits, limit_bytes=OWN_LIMIT_BYTES)
        self._transports = {False: Http1Transport(tls_context(), limits), True: proxied}
        spawn = asyncio.get_running_loop().create_task
        beside = [spawn(_repeat(_RENEW_SECONDS, self._renew)), spawn(_repeat(_SCHEDULES_SECONDS, self._schedules.fire))]
        try:
            await _repeat(0, self._pass)
        finally:
            for task in (*beside, *self._tasks):
                task.cancel()
            await asyncio.gather(*beside, *self._tasks, return_exceptions=True)
            for transport in self._transports.values():
                await transport.aclose()

    def lease_for(self, count: int) -> str:
        """Return the lease to take so many messages under; half of the places are for what is claimed."""
        is_running = bool(self._transports) and not self._is_stopping()
        return f"{self._name}.own" if is_running and len(self._tasks) + count <= AT_ONCE // 2 else ""

    def take(self, message_id: str, lease: str, retried: int, kept: Kept) -> None:
        """Deliver a message that is under the lease."""
        claimed = _Claimed(message_id, lease, retried, kept)
        # Nothing of a delivery is the publisher's: not its cost, nor its place in a trace.
        task = asyncio.get_running_loop().create_task(self._deliver(claimed), context=self._context.copy())
        self._tasks[task] = claimed
        task.add_done_callback(self._done)

    def note_due(self, where: Iterable[int], wait_ms: int) -> None:
        """Take note of messages in these shards that are due then."""
        at = asyncio.get_running_loop().time() + wait_ms / 1000
        for shard in where:
            self._next[shard] = min(self._next[shard], at)
        self._news.set()

    async def _pass(self) -> None:
        now = asyncio.get_running_loop().time()
        until = min(self._look_at, *self._next)
        if len(self._tasks) >= AT_ONCE or self._is_stopping() or until > now:
            news, wait = (self._news, until - now) if until > now else (self._free, self._idle_seconds)
            news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await news.wait()
            return
        if self._look_at <= now:
            asked, self._look_at = list(range(SHARDS)), now + self._idle_seconds
        else:
            asked = [shard for shard, at in enumerate(self._next) if at <= now]
        self._count += 1
        turn = self._count % len(asked)
        asked = asked[turn:] + asked[:turn]
        try:
            for group in [[shard] for shard in asked] if self._is_cluster else [asked]:
                await self._claim(group, min(AT_ONCE - len(self._tasks), _CLAIM))
        except PublishError as error:
            if self._is_cluster or "CROSSSLOT" not in str(error):
                raise
            self._is_cluster, self._idle_seconds = True, _CLUSTER_IDLE_SECONDS

    async def _claim(self, group: Sequence[int], most: int) -> None:
        lease, keys = f"{self._name}.{self._count}", [key for shard in group for key in shard_keys(shard)]
        for shard in group:
            self._next[shard] = inf
        try:
            waits, found = await self._shards.run("claim", keys, [lease, LEASE_MS, most])
        except BaseException:
            self.note_due(group, 0)
            raise
        for shard, wait_ms in zip(group, waits, strict=True):
            if int(wait_ms) >= 0:
                self.note_due([shard], int(wait_ms))
        for at in range(0, len(found), 3):
            try:
                self.take(found[at], lease, int(found[at + 1]), kept_in(found[at + 2]))
            except ValueError:
                _log.exception("message %s cannot be read here: another pump gets it", found[at])

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        self._free.set()
        if not task.cancelled() and (error := task.exception()):
            _log.error("a delivery was not settled, and comes again", exc_info=error)

    async def _deliver(self, claimed: _Claimed) -> None:
        """Deliver a message once. What is not settled comes again when its lease is over."""
        settle, retried = self._shards.settle, claimed.retried
        try:
            attempt = await self._attempt(claimed)
            message, shown = claimed.kept.message, attempt.shown(claimed.kept)
            if not attempt.status and self._is_stopping():
                await settle(claimed.id, claimed.lease, "back")
                return
            if message.callback:
                await self._queue.publish_kept([brought_to(claimed.id, claimed.kept, retried, attempt)])
            if attempt.status in SUCCESS:
                await settle(claimed.id, claimed.lease, "done", 0, *shown)
            elif attempt.is_final or retried >= message.retries:
                if message.failure_callback and not message.callback:
                    report = failure_report(claimed.id, claimed.kept, retried, attempt)
                    await self._queue.publish_kept([report])
                letter = encode(Dead(claimed.id, claimed.kept, shown[0], shown[1] or shown[2])).decode()
                await settle(claimed.id, claimed.lease, "dead", 0, *shown, dead_id(claimed.id), letter)
            else:
                wait_ms = message.waits.wait_ms(retried) if attempt.wait_ms is None else attempt.wait_ms
                if await settle(claimed.id, claimed.lease, "retry", wait_ms, *shown):
                    self.note_due([shard_in(claimed.id)], wait_ms)
        except asyncio.CancelledError:
            with suppress(BatonError):
                await settle(claimed.id, claimed.lease, "back")
            raise
        except BatonError as error:
            _log.warning("message %s was not settled, and comes again: %s", claimed.id, error)

    async def _attempt(self, claimed: _Claimed) -> Attempt:
        message, body = claimed.kept.message, claimed.kept.message.body.encode()
        key, *_ = await self._keys.known()
        name, now_ms = f"{claimed.id}.{claimed.retried}", self._clock.now_ms()
        signature = signature_of(key, message.url, body, name, now_ms)
        try:
            url, is_proxied = _reached(message.url)
            post = posting(self._transports[is_proxied], url, _headers(url, claimed))
            async with asyncio.timeout(message.timeout_seconds):
                return answered(await post(body, (b"Upstash-Signature", signature)), now_ms)
        except TimeoutError:
            return Attempt(error=f"no answer within {message.timeout_seconds} s")
        except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt, or none, follows
            return Attempt(error=f"{type(error).__name__}: {error}")

    async def _renew(self) -> None:
        """Renew all leases; a delivery whose lease is another's by now goes on, and settles nothing."""
        renewed = [self._shards.settle(each.id, each.lease, "renew", LEASE_MS) for each in self._tasks.values()]
        await asyncio.gather(*renewed)


def _headers(url: httpx.URL, claimed: _Claimed) -> Headers:
    """Return the headers of a delivery (qstash.md 8), but its signature."""
    kept = claimed.kept
    own = {"Host": url.netloc.decode(), "User-Agent": "Upstash-QStash", "Upstash-Message-Id": claimed.id}
    own |= {"Upstash-Retried": str(claimed.retried), "Upstash-Topic-Name": kept.message.topic}
    own |= {"Upstash-Schedule-Id": kept.schedule_id}
    given = {name.title(): text for name, text in kept.message.headers.items()}
    every = {"Content-Type": "application/json", **given, **own}
    return [(name.encode(), text.encode()) for name, text in every.items() if text]


async def _repeat(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do it again and again, with pauses; what the queue or the store refuses is tried again in a second."""
    while True:
        if seconds:
            await asyncio.sleep(seconds)
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - whatever it is, messages wait
            _log.warning("the pump goes on in a second: %s", error, exc_info=not isinstance(error, BatonError))
            await asyncio.sleep(_AFTER_ERROR_SECONDS)
