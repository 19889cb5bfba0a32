"""What a QStash case finds, and what it is made of."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.contract.qstash.destination import Destination, Received
from tests.contract.qstash.either_client import EitherClient

UNAUTHORISED = "401"
_TRIES, _PAUSE_SECONDS = 5_000, 0.02


@dataclass(frozen=True)
class Scene:
    """A destination, and a name that nothing else uses: for paths, queues, groups, labels."""

    destination: Destination
    name: str

    @property
    def url(self) -> str:
        """A URL of its own."""
        return self.destination.url(f"/{self.name}")

    async def received(self, count: int = 1) -> list[Received]:
        """The requests to that URL, once there are so many."""
        return await asyncio.to_thread(self.destination.wait, f"/{self.name}", count)

    async def dead_letter(self, sdk: EitherClient) -> Any:
        """The dead letter of a message that has just failed for good."""
        self.destination.reply(f"/{self.name}", 500, b"broken")
        await sdk.message.publish(url=self.url, retries=0, label=self.name)
        for _ in range(_TRIES):
            if found := (await sdk.dlq.list(filter={"label": self.name})).messages:
                return found[0]
            await asyncio.sleep(_PAUSE_SECONDS)
        raise AssertionError("no dead letter in time")


Step = Callable[[EitherClient, Scene], Awaitable[Any]]


@dataclass(frozen=True)
class QStashCase:
    """`succeeds` calls the method and looks at what came of it; `fails` calls it so that `error` is in the error."""

    succeeds: Step
    fails: Step
    error: str = "404"
