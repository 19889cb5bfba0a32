"""The ports of a world's processes: the store, the queue and the memories, all in memory, as earlier runs left them.

Invariant: nothing opens a connection. Must not: decide when a process ends.
"""

from typing import Any, Protocol, cast

from msgspec import Struct, field

from baton.container import Ports
from baton.observability.alerts import Notice
from baton.queue.ports import DeadLetters
from baton.storage.in_memory.admission import InMemoryAdmission, InMemoryAdmissionControl, Kept
from baton.storage.in_memory.app_events import InMemoryAppEvents
from baton.storage.in_memory.call_limits import InMemoryCallLimits
from baton.storage.in_memory.listing import InMemoryListing
from baton.storage.in_memory.memory import InMemoryChats, InMemoryLongTermMemory, InMemorySessionMemory
from baton.storage.in_memory.operation_stream import InMemoryOperationStream
from baton.storage.in_memory.reader import InMemoryArchive, InMemoryReader
from baton.storage.in_memory.statistics import InMemoryCounters, InMemoryToolStatistics
from baton.testing.dice import Dice
from baton.testing.queue import SimulatedQueue
from baton.testing.queue import Surroundings as AroundQueue
from baton.testing.store import SimulatedStore
from baton.testing.store import Surroundings as AroundStore
from baton.testing.virtual_clock import VirtualClock, in_virtual_thread

EPOCH_MS = 1_800_000_000_000
BASE_URL = "https://simulation.invalid"
_TOKEN = 31


class Surroundings(AroundQueue, AroundStore, Protocol):
    """The ports' view of their world."""

    clock: VirtualClock


class Left(Struct):
    """The state that a simulation's runs leave to later ones: jobs, the sessions' memory, the time."""

    trees: dict[str, Any] = field(default_factory=dict)
    admission: Kept = field(default_factory=Kept)
    session: dict[Any, Any] = field(default_factory=dict)
    long_term: dict[Any, Any] = field(default_factory=dict)
    epoch_ms: int = EPOCH_MS
    worlds: int = 0


class Backend:
    """The ports of one world, and their state."""

    def __init__(self, world: Surroundings, left: Left) -> None:
        left.worlds += 1
        self.store, self._admission = SimulatedStore(world), InMemoryAdmission()
        self.store.trees = dict(left.trees)
        self._admission.go_back(left.admission)
        self._session, self._long_term = InMemorySessionMemory(), InMemoryLongTermMemory()
        self._session.entries, self._long_term.entries = dict(left.session), dict(left.long_term)
        self.reader = InMemoryReader(self.store, self._admission)
        self.queue = SimulatedQueue(world, BASE_URL)
        self.tokens = _Tokens(world.dice, left.worlds)
        self.ports = self._ports(world.clock)

    def hand_over(self, left: Left, seconds: float) -> None:
        """Leave the state to later runs; the world took `seconds`."""
        left.trees, left.admission = dict(self.store.trees), self._admission.kept()
        left.session, left.long_term = dict(self._session.entries), dict(self._long_term.entries)
        left.epoch_ms += int((seconds + 1) * 1000)

    def _ports(self, clock: VirtualClock) -> Ports:
        unused = cast("Any", None)  # ports of the API alone
        call_limits = InMemoryCallLimits(clock.now_ms)
        return Ports(
            store=self.store,
            reader=self.reader,
            archive=InMemoryArchive(self.store),
            admission=self._admission,
            admission_control=InMemoryAdmissionControl(self._admission),
            listing=InMemoryListing(self._admission),
            queue=self.queue,
            queue_records=cast("Any", _NoDeadLetters()),
            schedules=unused,
            verifier=_AnySignature(),
            clock=clock,
            randomness=self.tokens,
            session_memory=self._session,
            tool_statistics=InMemoryToolStatistics(self.store),
            counters=InMemoryCounters(self.store),
            operation_stream=InMemoryOperationStream(),
            app_events=InMemoryAppEvents(),
            chats=InMemoryChats(),
            call_limits=lambda: call_limits,
            api_key_store=unused,
            audit_log=unused,
            alerts=_NoAlerts(),
            long_term_memory=self._long_term,
            in_thread=in_virtual_thread,
        )


class _AnySignature:
    """`Verifier` of a queue in the same process."""

    def signed_digest(self, signature: str, url: str) -> str:  # noqa: ARG002 - any signature is accepted
        """Accept any signature."""
        return ""

    def check_body(self, digest: str, body: bytes) -> None:
        """Accept any body."""


class _NoAlerts:
    """`Alerts` that sends nothing: failures are in the report."""

    async def send(self, notice: Notice) -> None:
        """Do nothing."""


class _NoDeadLetters:
    """`QueueRecords` of a queue that keeps no dead letters."""

    async def dead_letters(self, **_query: str) -> DeadLetters:
        """Return none."""
        return DeadLetters()


class _Tokens:
    """`Randomness` that follows from the seed and the world."""

    def __init__(self, dice: Dice, world: int) -> None:
        self._dice, self._world, self._count = dice, world, 0

    def token(self) -> str:
        """Return the next token."""
        self._count += 1
        return self._dice.token(_TOKEN, self._world, self._count)
