"""All parts of the queue in the store, over one connection to it, and its account."""

from collections.abc import Callable, Mapping, Sequence

from msgspec.json import encode

from baton.queue.account import SigningKeys, Topic, TopicEndpoint
from baton.queue.redis.publisher import RedisQueue, topic_in
from baton.queue.redis.pump import Pump
from baton.queue.redis.records import RedisRecords
from baton.queue.redis.schedules import RedisSchedules
from baton.queue.redis.shards import TOPICS, OnShards, Shards
from baton.queue.redis.signing import KeysInStore, RedisVerifier
from baton.sdk.clock import Clock, Randomness
from baton.store.redis.connection import RedisConnection
from baton_events.errors import TopicNotFoundError


class RedisSetup(OnShards):
    """`QueueSetup`: topics with their endpoints, and signing keys."""

    def __init__(self, shards: Shards, keys: KeysInStore) -> None:
        self._shards, self._keys = shards, keys

    async def topics(self) -> tuple[Topic, ...]:
        (flat,) = await self._shards.run_commands(["HGETALL", TOPICS])
        return tuple(topic_in(text) for _, text in sorted(dict(flat or {}).items()))

    async def put_endpoint(self, topic: str, endpoint: TopicEndpoint) -> None:
        known = {each.name: each for each in await self.topics()}.get(topic) or Topic(topic)
        there = {each.name or each.url: each for each in known.endpoints}
        await self._keep(Topic(topic, (*(there | {endpoint.name or endpoint.url: endpoint}).values(),), known.defaults))

    async def remove_endpoints(self, topic: str, endpoints: Sequence[TopicEndpoint]) -> None:
        """Remove endpoints, one without a name by its address. Raises TopicNotFoundError."""
        known = await self._found(topic)
        gone = {each.name or each.url for each in endpoints}
        left = tuple(each for each in known.endpoints if not {each.name, each.url} & gone)
        await (self._keep(Topic(topic, left, known.defaults)) if left else self.delete_topic(topic))

    async def put_defaults(self, topic: str, defaults: Mapping[str, str]) -> None:
        """Set the defaults, which messages of ours do not need. Raises TopicNotFoundError."""
        known = await self._found(topic)
        await self._keep(Topic(topic, known.endpoints, {name.lower(): text for name, text in defaults.items()}))

    async def delete_topic(self, topic: str) -> None:
        await self._shards.run_commands(["HDEL", TOPICS, topic])

    async def signing_keys(self) -> SigningKeys:
        current, following, *_ = await self._keys.read()
        return SigningKeys(current, following)

    async def roll_signing_keys(self) -> SigningKeys:
        return await self._keys.roll()

    async def _found(self, name: str) -> Topic:
        (text,) = await self._shards.run_commands(["HGET", TOPICS, name])
        if not text:
            raise TopicNotFoundError(name)
        return topic_in(text)

    async def _keep(self, topic: Topic) -> None:
        await self._shards.run_commands(["HSET", TOPICS, topic.name, encode(topic).decode()])


class QueueInStore:
    """Opens nothing before its first use. `keys`: that sign, the current one and the next one; none: in the store."""

    def __init__(self, connection: RedisConnection, clock: Clock, randomness: Randomness, *keys: str) -> None:
        shards = self._shards = Shards(connection)
        self._keys = KeysInStore(shards, clock, randomness, *keys)
        self.queue = RedisQueue(shards, clock, randomness)
        self.records = RedisRecords(shards, self.queue, clock, connection.sealing)
        self.schedules = RedisSchedules(shards, self.queue, clock)
        self.verifier = RedisVerifier(self._keys, clock)
        self.setup = RedisSetup(shards, self._keys)
        self._world = clock, randomness
        self.queue.pump = self.pump

    def pump(self, is_stopping: Callable[[], bool] = bool) -> Pump:
        """Make what delivers the messages; `is_stopping`: it takes no more."""
        return Pump(self.queue, self._shards, self._keys, self.schedules, self._world, is_stopping)
