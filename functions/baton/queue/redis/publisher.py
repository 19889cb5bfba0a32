"""The queue in the store's own Redis: a message is there before its publisher goes on.

A message goes to the shard of its flow key, else of its deduplication id: both are known of the shard alone.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, cast

from msgspec import Struct
from msgspec.json import Decoder, encode
from msgspec.structs import replace

from baton.queue.account import Topic
from baton.queue.redis.shards import TOPICS, OnShards, Shards, message_id, once_key, shard_for, shard_keys
from baton.sdk.clock import Clock, Randomness
from baton_events.errors import PartialPublishError, PublishError, TopicNotFoundError
from baton_events.ids import root_of
from baton_events.messages import Outgoing

_LOGGED_BYTES = 4_096
LEASE_MS = 20_000
_NO_NAME = re.compile(r"[|;\x00-\x1f]")  # what separates the parts of a lane's entries


class Kept(Struct, frozen=True, omit_defaults=True):
    """A message as it is kept. `hidden`: what it has is shown to nobody. `schedule_id`: what made it."""

    message: Outgoing
    created_ms: int
    hidden: bool = False
    schedule_id: str = ""

    @property
    def shown(self) -> Outgoing:
        """What people may see of it."""
        hidden = self.hidden or self.message.callback
        return replace(self.message, body="", headers={}) if hidden else self.message


class Taker(Protocol):
    """What delivers messages in this process."""

    def note_due(self, where: Iterable[int], wait_ms: int) -> None:
        """Take note of messages in these shards that are due then."""
        ...

    def lease_for(self, count: int) -> str:
        """Return the lease to take so many messages under; empty: there is no place for them."""
        ...

    def take(self, message_id: str, lease: str, retried: int, kept: Kept) -> None:
        """Deliver a message that is under the lease."""
        ...


kept_in = Decoder(Kept).decode
topic_in = Decoder(Topic).decode


class RedisQueue(OnShards):
    """`Queue`. `taker`: the pump of this process, which delivers what it has a place for at once, without a claim.

    `pump`: makes what delivers the messages.
    """

    pump: Callable[[Callable[[], bool]], Any]

    def __init__(self, shards: Shards, clock: Clock, randomness: Randomness) -> None:
        self._shards, self._clock, self._randomness = shards, clock, randomness
        self.taker: Taker | None = None

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        """Publish all; return message ids in order. Raises as `publish_kept`."""
        now_ms = self._clock.now_ms()
        return await self.publish_kept([Kept(message, now_ms) for message in messages])

    async def publish_kept(self, messages: Sequence[Kept]) -> list[str]:
        """Publish all; return message ids in order, of a topic's message that of its first endpoint.

        Raises TopicNotFoundError: the only message's is unknown. PublishError: none was accepted. PartialPublishError:
        some were.
        """
        topics = await self._topics({one.message.topic for one in messages if one.message.topic})
        addressed, positions, failed = list[Kept](), list[int](), dict[int, PublishError]()
        for position, one in enumerate(messages):
            urls = topics.get(one.message.topic, []) if one.message.topic else [one.message.url]
            for url in urls:  # each endpoint of a topic gets a message of its own
                once = one.message.deduplication_id
                once = f"{once}@{url}" if once and one.message.topic else once
                addressed.append(replace(one, message=replace(one.message, url=url, deduplication_id=once)))
            positions += [position] * len(urls)
            if not urls:
                failed[position] = TopicNotFoundError(one.message.topic)
        accepted = dict[int, str]()
        for position, answer in zip(positions, await self._keep_all(addressed), strict=True):
            if isinstance(answer, PublishError):
                failed[position] = answer
            else:
                accepted.setdefault(position, answer)
        errors = list(failed.values())
        is_unknown = len(messages) > 1 and any(isinstance(each, TopicNotFoundError) for each in errors)
        if errors and (accepted or is_unknown):
            raise PartialPublishError(accepted, {position: str(error) for position, error in failed.items()})
        if errors:
            raise errors[0]
        return [accepted[position] for position in range(len(messages))]

    async def _keep_all(self, messages: Sequence[Kept]) -> list[str | PublishError]:
        """Keep messages; return of each its id, or why it was not taken."""
        now_ms, by_shard = self._clock.now_ms(), dict[int, list[int]]()
        for position, one in enumerate(messages):
            name = one.message.flow.key or one.message.deduplication_id or self._randomness.token()
            by_shard.setdefault(shard_for(name), []).append(position)
        running = [self._keep(shard, [messages[at] for at in those], now_ms) for shard, those in by_shard.items()]
        found = dict[int, str | PublishError]()
        for those, answers in zip(by_shard.values(), await asyncio.gather(*running), strict=True):
            found |= zip(those, answers, strict=True)
        return [found[position] for position in range(len(messages))]

    async def _keep(self, shard: int, messages: Sequence[Kept], now_ms: int) -> Sequence[str | PublishError]:
        lease = self.taker.lease_for(len(messages)) if self.taker else ""
        keys, args = [*shard_keys(shard)], list[str | int]([lease, LEASE_MS])
        first = len(keys)
        for one in messages:
            message = one.message
            if message.deduplication_id:
                keys.append(once_key(shard, message.deduplication_id))
            text, once = encode(one).decode(), len(keys) - first if message.deduplication_id else 0
            shown, brief = one.shown, ""
            if shown is not message or len(text) >= _LOGGED_BYTES:  # the log has less of it
                shown = replace(shown, body=shown.body[:_LOGGED_BYTES])
                brief = encode(replace(one, message=shown, hidden=False)).decode()
            lane = ";".join(
                _NO_NAME.sub("-", each) for each in (message.flow.key, message.lane or root_of(message.label))
            )
            wait_ms = max(0, message.not_before_ms - now_ms)
            name = message_id(shard, self._randomness.token())
            args += [name, lane, message.flow.parallelism, wait_ms, once, text, brief]
        try:
            ids, leased = await self._shards.run("publish", keys, args)
        except PublishError as error:
            return [error] * len(messages)
        if self.taker:
            own = set(map(int, leased))
            for at in own:
                self.taker.take(ids[at], lease, 0, messages[at])
            if left := [one for at, one in enumerate(messages) if at not in own]:
                soonest_ms = min(one.message.not_before_ms for one in left) - now_ms
                self.taker.note_due([shard], max(0, soonest_ms))
        return cast("list[str]", ids)

    async def _topics(self, names: set[str]) -> dict[str, list[str]]:
        if not names:
            return {}
        ordered = sorted(names)
        (texts,) = await self._shards.run_commands(["HMGET", TOPICS, *ordered])
        known = {name: topic_in(text) for name, text in zip(ordered, texts, strict=True) if text}
        return {name: [endpoint.url for endpoint in topic.endpoints] for name, topic in known.items()}

    async def cancel(self, message_id: str) -> None:
        """Take a message back; an unknown or delivered one is no error."""
        await self._shards.settle(message_id, "", "cancel")
