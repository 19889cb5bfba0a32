"""The configuration of a queue's account: topics, their endpoints, signing keys. Not for functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TopicEndpoint:
    """The destination of a topic. `name`: the endpoint's identifier; empty: its URL."""

    url: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic (URL group). `defaults`: options of messages published to it, by header; empty where none are known."""

    name: str
    endpoints: tuple[TopicEndpoint, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The queue's current signing key, and the one that follows a roll."""

    current: str = field(repr=False)
    following: str = field(repr=False)


class QueueSetup(Protocol):
    """Reads and changes an account's configuration. Each method raises PublishError and its kinds."""

    async def topics(self) -> tuple[Topic, ...]:
        """Return all topics, also those of others on the same account, by name."""
        ...

    async def put_endpoint(self, topic: str, endpoint: TopicEndpoint) -> None:
        """Add an endpoint, or change the one of this name; an unknown topic is made."""
        ...

    async def remove_endpoints(self, topic: str, endpoints: Sequence[TopicEndpoint]) -> None:
        """Remove endpoints; a topic without any is deleted."""
        ...

    async def put_defaults(self, topic: str, defaults: Mapping[str, str]) -> None:
        """Set the default options of messages to this topic."""
        ...

    async def delete_topic(self, topic: str) -> None:
        """Delete a topic; an unknown one is no error."""
        ...

    async def signing_keys(self) -> SigningKeys: ...

    async def roll_signing_keys(self) -> SigningKeys:
        """Make the next key the current one, and create a new next key; each call rolls once more."""
        ...

    async def close(self) -> None: ...
