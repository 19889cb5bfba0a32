"""What an account of the queue is set up with: that of the queue in a Redis in this process."""

from collections.abc import Mapping

from baton.queue.account import Topic
from baton.queue.redis.in_store import RedisSetup
from baton.queue.redis.publisher import topic_in
from baton.queue.redis.shards import SIGNING_KEYS, TOPICS, Shards
from baton.queue.redis.signing import KeysInStore
from baton.store.redis.in_process.server import InProcessConnection
from baton_events.errors import MessageNotFoundError
from tests.fakes.randomness import FakeRandomness
from tests.fakes.stored import FakeRedis


class FakeQueueSetup(RedisSetup):
    """`QueueSetup` with keys that have short names. `takes_defaults`: not every queue does."""

    def __init__(self) -> None:
        self._server = FakeRedis()
        self._server.run("HSET", SIGNING_KEYS, "current", "sig_1", "following", "sig_2")
        shards = Shards(InProcessConnection(self._server))
        super().__init__(shards, KeysInStore(shards, self._server.clock, FakeRandomness()))
        self.takes_defaults = True

    @property
    def known(self) -> dict[str, Topic]:
        return {name: topic_in(text) for name, text in self._server.hash(TOPICS).items()}

    async def put_defaults(self, topic: str, defaults: Mapping[str, str]) -> None:
        if not self.takes_defaults:
            raise MessageNotFoundError("no such path")
        await super().put_defaults(topic, defaults)
