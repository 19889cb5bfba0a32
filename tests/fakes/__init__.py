"""One fake for each port; those that the product itself can use are in `baton.in_memory`."""

from baton.engine.tree import NO_SLOT_STATE, Tree
from baton.in_memory.admission import InMemoryAdmission as FakeAdmission
from baton.in_memory.admission import InMemoryAdmissionControl as FakeAdmissionControl
from baton.in_memory.archive import InMemoryArchive as FakeArchive
from baton.in_memory.listing import InMemoryListing as FakeListing
from baton.in_memory.reader import InMemoryReader as FakeReader
from baton.in_memory.store import InMemoryStore as FakeStore
from baton.in_memory.stored_bytes import InMemoryStoredBytes as FakeStoredBytes

__all__ = [
    "NO_SLOT_STATE",
    "FakeAdmission",
    "FakeAdmissionControl",
    "FakeArchive",
    "FakeListing",
    "FakeReader",
    "FakeStore",
    "FakeStoredBytes",
    "Tree",
]
