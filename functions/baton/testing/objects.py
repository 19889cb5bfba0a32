"""The object store of a simulation: objects in memory, with points before and after each write.

Invariant: runs of one simulation share it, as they share the store. Must not: decide when a process ends.
"""

from collections.abc import AsyncIterator, Sequence
from hashlib import sha256

from baton.settings.settings import Settings
from baton.store.objects import CHUNK_BYTES, Objects
from baton.store.records.objects import ref_of
from baton.testing.store import Surroundings


class SimulatedObjects(Objects):
    """`Objects` of one process. `stored`: the contents, by their paths."""

    def __init__(self, world: Surroundings, stored: dict[str, bytes]) -> None:
        super().__init__(Settings())
        self._world, self.stored = world, stored

    async def put(self, place: str, tenant: str, data: bytes) -> str:
        """Write an object, or find it there. Nothing is sealed here."""
        del tenant
        ref = await self.ref(place, data)
        await self._world.point("before a large result is stored")
        self.stored.setdefault(ref.path, data)
        await self._world.point("after a large result is stored")
        return str(ref)

    async def get(self, ref: str) -> bytes:
        """Return a whole object, as it was written."""
        data = b"".join([piece async for piece in self.chunks(ref)])
        if sha256(data).hexdigest() != ref_of(ref).name:
            raise await self._is_gone(ref, "damaged")
        return data

    async def has(self, ref: str | None = None) -> bool:
        """Return whether an object is there; the store answers at once."""
        return ref is not None and ref_of(ref).path in self.stored

    async def chunks(self, ref: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yield an object's bytes in pieces."""
        if (data := self.stored.get(ref_of(ref).path)) is None:
            raise await self._is_gone(ref)
        for first in range(start, len(data) if end is None else min(end, len(data)), CHUNK_BYTES):
            yield data[first : min(first + CHUNK_BYTES, len(data) if end is None else end)]

    async def copy(self, ref: str, place: str) -> str:
        """Copy an object to another place."""
        if (data := self.stored.get(ref_of(ref).path)) is None:
            raise await self._is_gone(ref)
        return await self.put(place, "", data)

    async def delete_below(self, place: str) -> int:
        """Delete all objects at a place."""
        gone = [path for path in self.stored if path.startswith(f"{place}/")]
        for path in gone:
            del self.stored[path]
        return len(gone)

    async def places(self, within: str, before_ms: int) -> Sequence[str]:
        """Return the places right below a folder: all are old."""
        del before_ms
        return sorted({path.rpartition("/")[0] for path in self.stored if path.startswith(f"{within}/")})

    async def tenants(self) -> Sequence[str]:
        """Return the folders of tenants."""
        return sorted({path.partition("/")[0] for path in self.stored})
