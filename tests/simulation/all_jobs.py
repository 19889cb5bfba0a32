"""What a world keeps for all jobs together: production's adapters over a Redis in this process, and what is seen of it.

Invariant: the adapters and their scripts write all of it; this reads. A version of it is a copy of two dicts.
"""

from collections.abc import Callable, Mapping

from baton.engine.all_jobs.ends import AgentCounters
from baton.engine.all_jobs.slots import QueueEntry
from baton.settings.settings import Settings
from baton.store.redis import keys
from baton.store.redis.admission import Admission, AdmissionControl
from baton.store.redis.in_process.data import Version
from baton.store.redis.in_process.server import InProcessConnection, InProcessRedis
from baton.store.redis.in_process.sorted_sets import SortedSet
from baton.worker.container import Ports
from baton.worker.wiring import real_ports
from tests.fakes.stored import entries_of
from tests.simulation.fairness import Counts
from tests.simulation.wire import at_once

# The keys that a failover of the admission makes older, and those of one of call limits.
_OF_ADMISSION = ("baton:{admission}", keys.list_key(""))
_OF_LIMITS = ("baton:call-limit:", "baton:{call-limit:")


class AllJobs:
    """The keys of all jobs of a world. `ports`: the adapters over them."""

    def __init__(self, now_ms: Callable[[], int], settings: Settings, payload_keys: str = "") -> None:
        self.redis = InProcessRedis(now_ms)
        self.redis.payload_keys = payload_keys
        self.connection = InProcessConnection(self.redis)
        self.ports: Ports = real_ports(settings, self.connection)

    def hash(self, key: str) -> Mapping[str, str]:
        found: Mapping[str, str] = self.redis.data.values.get(key, _NOTHING)
        return found

    def limits(self) -> Version:
        """What the limits of calls have counted."""
        return self.redis.data.version(*_OF_LIMITS)

    def forget_limits(self, version: Version) -> None:
        self.redis.data.go_back(version, *_OF_LIMITS)


_NOTHING: dict[str, str] = {}


class StoredAdmission:
    """The admission as invariants see it, with the list of jobs and the sums beside it."""

    def __init__(self, kept: AllJobs) -> None:
        assert isinstance(kept.ports.admission, Admission), "it is production's"
        assert isinstance(kept.ports.admission_control, AdmissionControl), "it is production's"
        self.port, self.control = kept.ports.admission, kept.ports.admission_control
        self._kept = kept
        self._hash: Mapping[str, str] = {}
        self._entries: dict[str, QueueEntry] = {}

    @property
    def entries(self) -> dict[str, QueueEntry]:
        """The slot table: another dict after each update."""
        now = self._kept.hash(keys.SLOTS)
        if now is not self._hash:
            self._hash, self._entries = now, entries_of(now)
        return self._entries

    @property
    def counts(self) -> Counts:
        """What it counts, and when its sweep is to come."""
        found = self._kept.hash(keys.SLOTS)
        return Counts(*(int(float(found.get(name, 0))) for name in ("holders", "asking", "alarm")))

    @property
    def slots(self) -> int:
        """How many jobs are admitted at once: as an operator says, else as the setting does."""
        return int(self._kept.hash(keys.SLOTS).get("size", self.port._semaphore.slots))

    def deploy(self, slots: int) -> None:
        """Give the setting another value."""
        self.port._semaphore.slots = self.control._semaphore.slots = slots

    @property
    def is_stopped(self) -> bool:
        return self._kept.hash(keys.SLOTS).get("closed", "0") != "0"

    @property
    def rows(self) -> frozenset[str]:
        """The rows and texts of the list of jobs, and the catalogue of their shelves."""
        sets = {key: kept for key, kept in self._kept.redis.data.values.items() if isinstance(kept, SortedSet)}
        rows = {row for key, kept in sets.items() if key.startswith(keys.list_key("")) for row in kept.scores}
        order = sets[keys.SLOT_ORDER].scores if keys.SLOT_ORDER in sets else ()
        return frozenset(rows | {text[1:] for text in order if text.startswith(keys.SLOT_SHELVES)})

    def ends(self) -> dict[str, AgentCounters]:
        return at_once(self.control.ends())

    def stored(self, tenant: str) -> int:
        """How many bytes a tenant's jobs have stored."""
        return sum(map(int, self._kept.hash(keys.stored_bytes_key(tenant)).values()))

    def version(self) -> Version:
        return self._kept.redis.data.version(*_OF_ADMISSION)

    def go_back(self, version: Version) -> None:
        self._kept.redis.data.go_back(version, *_OF_ADMISSION)
