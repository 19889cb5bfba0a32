"""One fake for each port; those that the product itself can use are in `baton.storage.in_memory`."""

from baton.engine.commit.tree import NO_SLOT_STATE, Tree
from baton.storage.in_memory.admission import InMemoryAdmission as FakeAdmission
from baton.storage.in_memory.admission import InMemoryAdmissionControl as FakeAdmissionControl
from baton.storage.in_memory.app_events import InMemoryAppEvents as FakeAppEvents
from baton.storage.in_memory.listing import InMemoryListing as FakeListing
from baton.storage.in_memory.memory import InMemoryChats as FakeChats
from baton.storage.in_memory.memory import InMemorySessionMemory as FakeSessionMemory
from baton.storage.in_memory.operation_stream import InMemoryOperationStream as FakeOperationStream
from baton.storage.in_memory.reader import InMemoryArchive as FakeArchive
from baton.storage.in_memory.reader import InMemoryReader as FakeReader
from baton.storage.in_memory.statistics import InMemoryCounters as FakeCounters
from baton.storage.in_memory.statistics import InMemoryToolStatistics as FakeToolStatistics
from baton.storage.in_memory.store import InMemoryStore as FakeStore
from baton.storage.in_memory.stored_bytes import InMemoryStoredBytes as FakeStoredBytes
from baton.testing.long_term_memory import SimulatedLongTermMemory as FakeLongTermMemory

__all__ = [
    "NO_SLOT_STATE",
    "FakeAdmission",
    "FakeAdmissionControl",
    "FakeAppEvents",
    "FakeArchive",
    "FakeChats",
    "FakeCounters",
    "FakeListing",
    "FakeLongTermMemory",
    "FakeOperationStream",
    "FakeReader",
    "FakeSessionMemory",
    "FakeStore",
    "FakeStoredBytes",
    "FakeToolStatistics",
    "Tree",
]
