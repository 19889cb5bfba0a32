"""What an account of the queue is set up with: topics, their endpoints, signing keys. Not for functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TopicEndpoint:
    """Where a topic delivers to. `name`: what the endpoint is known by; empty: by its URL."""

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
    """What the queue signs with now, and will sign with once they are rolled."""

    current: str = field(repr=False)
    following: str = field(repr=False)


class QueueSetup(Protocol):
    """Reads and changes what an account is set up with. Each method raises PublishError and its kinds."""

    async def topics(self) -> tuple[Topic, ...]:
        """All of them, also those of others on the same account, by name."""
        ...

    async def put_endpoint(self, topic: str, endpoint: TopicEndpoint) -> None:
        """Add an endpoint, or change the one of this name; an unknown topic is made."""
        ...

    async def remove_endpoints(self, topic: str, endpoints: Sequence[TopicEndpoint]) -> None:
        """Take endpoints out; a topic without any is gone."""
        ...

    async def put_defaults(self, topic: str, defaults: Mapping[str, str]) -> None:
        """Set the options that messages to this topic have where they say nothing themselves."""
        ...

    async def delete_topic(self, topic: str) -> None:
        """Delete a topic; an unknown one is no error."""
        ...

    async def signing_keys(self) -> SigningKeys:
        """The account's keys."""
        ...

    async def roll_signing_keys(self) -> SigningKeys:
        """The next key becomes the current one, and there is a new next key. Repeating it rolls once more."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
