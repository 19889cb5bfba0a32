"""The ports of a world's processes: the adapters of production over one Redis in this process, as earlier runs left it.

Invariant: nothing opens a connection; queue, clock and long-term memory are simulated. Must not: decide when a process
ends. Likeness in long-term memory is shared words: no meaning, as with the local index.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from msgspec import Struct, field
from msgspec.structs import replace

from baton.engine.effects import Alert
from baton.queue.ports import DeadLetters
from baton.sdk.records.memory import MemoryEntry, MemoryHit
from baton.settings.settings import Settings
from baton.store.redis.agent_memory import Chats
from baton.store.redis.in_process.data import Version
from baton.store.redis.in_process.server import InProcessConnection
from baton.store.redis.reader import Reader
from baton.testing.dice import Dice
from baton.testing.process import Surroundings
from baton.testing.queue import SimulatedQueue
from baton.testing.store import SimulatedBudgets, SimulatedObjects, SimulatedRedis, SimulatedStore
from baton.testing.virtual_thread import in_virtual_thread
from baton.worker.container import Ports
from baton.worker.wiring import real_ports
from baton_events.errors import MemoryUnavailableError
from baton_events.ids import root_of


class SimulatedLongTermMemory:
    """`LongTermMemory` over a dict. `down`: raised instead of an answer. `lagging`: searches find nothing."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], MemoryEntry] = {}
        self.down: MemoryUnavailableError | None = None
        self.lagging = False

    async def add(self, tenant: str, entry: MemoryEntry) -> None:
        self._answer()
        self.entries[tenant, entry.id] = entry

    async def search(
        self, tenant: str, text: str, limit: int, minimum_score: float, session_id: str = ""
    ) -> tuple[MemoryHit, ...]:
        """Return the entries with the most words in common, best first."""
        self._answer()
        mine = (entry for (owner, _), entry in self.entries.items() if owner == tenant and not self.lagging)
        hits = [
            MemoryHit(entry, likeness(text, entry.text))
            for entry in mine
            if not session_id or entry.session_id == session_id
        ]
        best = sorted((hit for hit in hits if hit.score >= minimum_score), key=lambda hit: -hit.score)
        return tuple(best[:limit])

    async def delete(self, tenant: str, entry_ids: tuple[str, ...]) -> None:
        """Delete entries by id."""
        self._answer()
        for entry_id in entry_ids:
            self.entries.pop((tenant, entry_id), None)

    async def forget_jobs(self, tenant: str, session_id: str, job_ids: Sequence[str]) -> None:
        """Delete a session's entries of jobs, and of those below them."""
        self._answer()
        mine = [key for key, entry in self.entries.items() if key[0] == tenant and entry.session_id == session_id]
        for key in mine:
            if root_of(self.entries[key].job_id) in job_ids:
                del self.entries[key]

    async def forget(self, tenant: str, session_id: str) -> int:
        """Delete all entries of a session."""
        self._answer()
        mine = [key for key, entry in self.entries.items() if key[0] == tenant and entry.session_id == session_id]
        for key in mine:
            del self.entries[key]
        return len(mine)

    async def close(self) -> None:
        """Do nothing: nothing is open."""

    def _answer(self) -> None:
        if self.down:
            raise self.down


def likeness(one: str, other: str) -> float:
    """Return the likeness of two texts by their words, from 0.5 (none in common) to 1 (the same), as cosine indexes."""
    left, right = (Counter(re.findall(r"\w+", text.lower())) for text in (one, other))
    product = sum(count * right[word] for word, count in left.items())
    length = math.sqrt(sum(n * n for n in left.values()) * sum(n * n for n in right.values()))
    return round((1 + (product / length if length else 0)) / 2, 7)


EPOCH_MS = 1_800_000_000_000
BASE_URL = "https://simulation.invalid"
_TOKEN = 31
_APART = Settings().object_from_bytes


class Left(Struct):
    """The state that a simulation's runs leave to later ones: the store, the long-term memory, the time."""

    version: Version = Version({}, {})
    long_term: dict[Any, Any] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    epoch_ms: int = EPOCH_MS
    worlds: int = 0


class Backend:
    """What the processes of one world share."""

    def __init__(self, world: Surroundings, left: Left, settings: Settings) -> None:
        left.worlds += 1
        self._world, self._settings = world, settings
        self.redis = SimulatedRedis(world)
        self.redis.go_back(left.version)
        self._long_term = SimulatedLongTermMemory()
        self._long_term.entries = dict(left.long_term)
        self.objects = SimulatedObjects(world, dict(left.objects))
        self.reader = Reader(InProcessConnection(self.redis), self.objects)
        self.queue = SimulatedQueue(world, BASE_URL)
        self.tokens = _Tokens(world.dice, left.worlds)

    def hand_over(self, left: Left, seconds: float) -> None:
        """Leave the state to later runs; the world took `seconds`."""
        left.version, left.long_term = self.redis.version(), dict(self._long_term.entries)
        left.objects = dict(self.objects.stored)
        left.epoch_ms += int((seconds + 1) * 1000)

    def _budgets(self) -> SimulatedBudgets:
        return SimulatedBudgets(self._world, InProcessConnection(self.redis))

    def ports(self) -> Ports:
        """Make the ports of one process."""
        unused = cast("Any", None)  # ports of the API alone
        settings, real = self._settings, real_ports(self._settings, InProcessConnection(self.redis))
        return replace(
            real,
            store=SimulatedStore(self._world, self.redis, settings.job_retention_seconds * 1000),
            queue=self.queue,
            queue_records=cast("Any", _NoDeadLetters()),
            schedules=unused,
            verifier=_AnySignature(),
            budgets=self._budgets,
            objects=self.objects,
            reader=self.reader,
            chats=Chats(InProcessConnection(self.redis), settings.job_retention_seconds * 1000, self.objects, _APART),
            clock=self._world.clock,
            randomness=self.tokens,
            callbacks=None,
            alerts=_NoAlerts(),
            long_term_memory=self._long_term,
            in_thread=in_virtual_thread,
        )


class _AnySignature:
    """`Verifier` of a queue in the same process."""

    knows_keys = True

    async def know_keys(self) -> None:
        """Do nothing: it has no keys."""

    def signed_digest(self, signature: str, url: str) -> str:  # noqa: ARG002 - any signature is accepted
        return ""

    def check_body(self, digest: str, body: bytes) -> None:
        """Accept any body."""


class _NoAlerts:
    """`Alerts` that sends nothing: failures are in the report."""

    async def send(self, alert: Alert, url: str) -> None:
        """Do nothing."""


class _NoDeadLetters:
    """`QueueRecords` of a queue that keeps no dead letters."""

    async def dead_letters(self, **_query: str) -> DeadLetters:
        return DeadLetters()


class _Tokens:
    """`Randomness` that follows from the seed and the world."""

    def __init__(self, dice: Dice, world: int) -> None:
        self._dice, self._world, self._count = dice, world, 0

    def token(self) -> str:
        self._count += 1
        return self._dice.token(_TOKEN, self._world, self._count)
