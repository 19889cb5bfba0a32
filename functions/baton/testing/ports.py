"""The ports of a world's processes: the adapters of production over one Redis in this process, as earlier runs left it.

Invariant: nothing opens a connection; queue, clock and long-term memory are simulated. Must not: decide when a process
ends.
"""

from typing import TYPE_CHECKING, Any, Protocol, cast

from msgspec import Struct, field
from msgspec.structs import replace

from baton.observability.alerts import Notice
from baton.queue.ports import DeadLetters
from baton.settings.settings import Settings
from baton.store.redis.agent_memory import Chats
from baton.store.redis.in_process.data import Version
from baton.store.redis.in_process.server import InProcessConnection
from baton.store.redis.reader import Reader
from baton.testing.dice import Dice
from baton.testing.long_term_memory import SimulatedLongTermMemory
from baton.testing.objects import SimulatedObjects
from baton.testing.queue import SimulatedQueue
from baton.testing.queue import Surroundings as AroundQueue
from baton.testing.store import SimulatedRedis, SimulatedStore
from baton.testing.store import Surroundings as AroundStore
from baton.testing.virtual_clock import in_virtual_thread
from baton.worker.container import Ports
from baton.worker.wiring import real_ports

if TYPE_CHECKING:
    from baton.testing.budgets import SimulatedBudgets

EPOCH_MS = 1_800_000_000_000
BASE_URL = "https://simulation.invalid"
_TOKEN = 31
_APART = Settings().object_from_bytes


class Surroundings(AroundQueue, AroundStore, Protocol):
    """The ports' view of their world."""


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

    def _budgets(self) -> "SimulatedBudgets":
        from baton.testing.budgets import SimulatedBudgets  # noqa: PLC0415 - few agents have any

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
