"""What differs between the function's instances: how wrong their clocks are; and the ports made of that.

Signatures of the simulated queue are good for exactly one URL and body, as the real ones are (qstash.md 9).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from zlib import crc32

from baton.engine.work_items import WorkItem
from baton.queue.verifier import counts_at
from baton.sdk.clock import Clock
from baton.testing.dice import Dice, number_of
from baton.worker.runtime.policy import Suspects
from baton_events.errors import SignatureError
from tests.simulation.invocation import CURRENT, Invocation

if TYPE_CHECKING:
    from tests.simulation.world import World

INSTANCES = 4
_INSTANCE, _SKEW, _TOKEN = 71, 72, 73


def skew_of(dice: Dice, who: Invocation, most_ms: int) -> int:
    return int(dice.between(-most_ms, most_ms, _SKEW, instance_of(dice, who)))


def instance_of(dice: Dice, who: Invocation) -> int:
    if who.instance < 0:
        who.instance = _place(dice, who, INSTANCES)
    return who.instance


def _place(dice: Dice, who: Invocation, instances: int) -> int:
    return dice.whole(0, instances - 1, _INSTANCE, who.number)


def settle(dice: Dice, who: Invocation, processes: int) -> None:
    if processes:
        who.instance = _place(dice, who, processes)


class SimClock:
    """`Clock` of whichever instance asks."""

    def __init__(self, world: "World") -> None:
        self._loop, self._epoch_ms = world.loop, world.epoch_ms

    def now_ms(self) -> int:
        """The virtual time, as wrong as this instance's clock is."""
        return self._epoch_ms + int(self._loop.seconds * 1000) + CURRENT.get().skew_ms


class SimSuspects(Suspects):
    """Those of one process; the world is told who works on which step."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world

    @contextmanager
    def turn_of(self, item: WorkItem) -> Iterator[int]:
        """For the time of the block work on a step, where that says 0."""
        with super().turn_of(item) as wait_ms:
            if not wait_ms:
                self._world.actors.at_work.add((CURRENT.get(), item.key))
            yield wait_ms


class SimRandomness:
    """`Randomness` that follows from who asks and how often."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def token(self) -> str:
        """A text that no other invocation gets."""
        who = CURRENT.get()
        token = self._world.dice.token(_TOKEN, who.number, who.calls)
        self._world.owners[token] = who
        return token


# For so long a signature counts (qstash.md 9).
_COUNTS_SECONDS = 300.0


def sign(url: str, body: bytes, at_ms: int) -> str:
    """The signature of a delivery, made at this time, in whole seconds by the queue's clock."""
    return f"sim {crc32(body, number_of(url)):08x} {len(body)} {at_ms // 1000}"


class SimVerifier:
    knows_keys = True

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def know_keys(self) -> None:
        """Do nothing: it has no keys."""

    def signed_digest(self, signature: str, url: str) -> str:
        """The signature, and the URL: the body is judged by both."""
        at = int(signature.rpartition(" ")[2])
        if not counts_at(self._clock.now_ms(), at, at + _COUNTS_SECONDS):
            raise SignatureError("the simulated queue did not sign this now")
        return f"{signature} {url}"

    def check_body(self, digest: str, body: bytes) -> None:
        signature, _, url = digest.rpartition(" ")
        if signature != sign(url, body, int(signature.rpartition(" ")[2]) * 1000):
            raise SignatureError("the simulated queue did not sign this body for this URL")
