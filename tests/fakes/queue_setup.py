"""What an account of the queue is set up with, in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from baton.queue.account import SigningKeys, Topic, TopicEndpoint
from baton_events.errors import MessageNotFoundError, TopicNotFoundError


@dataclass
class FakeQueueSetup:
    """`QueueSetup` in memory. `takes_defaults`: not every queue does."""

    known: dict[str, Topic] = field(default_factory=dict[str, Topic])
    keys: SigningKeys = field(default_factory=lambda: SigningKeys("sig_1", "sig_2"))
    takes_defaults: bool = True
    rolled: int = 2

    async def topics(self) -> tuple[Topic, ...]:
        return tuple(self.known[name] for name in sorted(self.known))

    async def put_endpoint(self, topic: str, endpoint: TopicEndpoint) -> None:
        known = self.known.get(topic, Topic(topic))
        there = {each.name or each.url: each for each in known.endpoints}
        there[endpoint.name or endpoint.url] = endpoint
        self.known[topic] = replace(known, endpoints=tuple(there.values()))

    async def remove_endpoints(self, topic: str, endpoints: Sequence[TopicEndpoint]) -> None:
        """An endpoint without a name goes with all of its address, as with the real queue."""
        if topic not in self.known:
            raise TopicNotFoundError(topic)
        names = {each.name for each in endpoints if each.name}
        urls = {each.url for each in endpoints if not each.name}
        there = self.known.pop(topic)
        left = tuple(each for each in there.endpoints if each.name not in names and each.url not in urls)
        if left:
            self.known[topic] = replace(there, endpoints=left)

    async def put_defaults(self, topic: str, defaults: Mapping[str, str]) -> None:
        if not self.takes_defaults:
            raise MessageNotFoundError("no such path")
        if topic not in self.known:
            raise TopicNotFoundError(topic)
        found = {name.lower(): value for name, value in defaults.items()}
        self.known[topic] = replace(self.known[topic], defaults=found)

    async def delete_topic(self, topic: str) -> None:
        self.known.pop(topic, None)

    async def signing_keys(self) -> SigningKeys:
        return self.keys

    async def roll_signing_keys(self) -> SigningKeys:
        self.rolled += 1
        self.keys = SigningKeys(self.keys.following, f"sig_{self.rolled}")
        return self.keys

    async def close(self) -> None:
        """Nothing is open."""
