"""One fake for each port; those that the product itself can use are in `infra.in_memory`."""

from events.engine.tree import NO_STANDING, Tree
from infra.in_memory.admission import InMemoryAdmission as FakeAdmission
from infra.in_memory.admission import InMemoryOperating as FakeOperating
from infra.in_memory.archive import InMemoryArchive as FakeArchive
from infra.in_memory.listing import InMemoryListing as FakeListing
from infra.in_memory.reader import InMemoryReader as FakeReader
from infra.in_memory.store import InMemoryStore as FakeStore
from infra.in_memory.stored_bytes import InMemoryStoredBytes as FakeStoredBytes

__all__ = [
    "NO_STANDING",
    "FakeAdmission",
    "FakeArchive",
    "FakeListing",
    "FakeOperating",
    "FakeReader",
    "FakeStore",
    "FakeStoredBytes",
    "Tree",
]
