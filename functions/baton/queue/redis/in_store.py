"""All parts of the queue in the store, over one connection to it."""

from collections.abc import Callable

from baton.queue.redis.account import RedisSetup
from baton.queue.redis.publisher import RedisQueue
from baton.queue.redis.pump import Pump
from baton.queue.redis.records import RedisRecords
from baton.queue.redis.schedules import RedisSchedules
from baton.queue.redis.shards import Shards
from baton.queue.redis.signing import KeysInStore, RedisVerifier
from baton.sdk.clock import Clock, Randomness
from baton.store.redis.connection import RedisConnection


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
