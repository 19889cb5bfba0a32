"""The stores of a simulation: the product's, over a Redis in this process, with points around each write.

Records of jobs have them around claims and commits, budgets around reservations and settlements, objects in memory
around each object. Runs of one simulation share all of them.

Invariant: committed data stays, except for the fault of a store that forgets: then the last writes of the job's tree
are lost once, as after a failover. A process has a connection of its own; what it knows of trees dies with it.
"""

from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from typing import Any

from baton.engine.commit.answers import Claim, ClaimResult, Committed
from baton.engine.commit.codec import load_call
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.engine.work_items import ItemKind, kind_of
from baton.settings.settings import Settings
from baton.store.objects import CHUNK_BYTES, Objects
from baton.store.records.budgets import Reservation, Settled, Want
from baton.store.records.objects import ref_of
from baton.store.redis import keys
from baton.store.redis.budgets import Budgets
from baton.store.redis.connection import RedisConnection
from baton.store.redis.in_process.data import Version
from baton.store.redis.in_process.server import InProcessConnection, InProcessRedis
from baton.store.redis.store import Store
from baton.testing.process import Surroundings

_FORGETS, _WHEN, _HOW_MUCH = "forgetful_store", 21, 22
_WORDS = {
    ItemKind.LOOP: "the next turn",
    ItemKind.COMPLETE: "taking in the result of",
    ItemKind.FAILED: "taking in the failure of",
    ItemKind.WAIT: "the end of the wait of",
    ItemKind.SLOT_REQUEST: "the request for a slot",
    ItemKind.REMEMBER: "what is remembered",
    ItemKind.NOTIFY: "that its end is sent out",
    ItemKind.RELEASE: "the release of its workspace",
}


class SimulatedRedis(InProcessRedis):
    """The Redis of one world."""

    def __init__(self, world: Surroundings) -> None:
        super().__init__(world.clock.now_ms)
        self._world = world
        self._versions: list[Version] = []
        self._earlier = set[str]()
        self._forgets_at = world.dice.whole(3, 12, _WHEN) if _FORGETS in world.faults else 0

    def run(self, *command: str | int) -> Any:
        """Run one command; where this store forgets, keep what the tree was before."""
        if not self._forgets_at or keys.state_key(self._world.job_id) not in command:
            return super().run(*command)
        before = self.data.version(self._tag())
        answer = super().run(*command)
        if self.data.version(self._tag()).values != before.values:
            self._versions.append(before)
        return answer

    def forget(self) -> None:
        """Undo some writes, once."""
        if not self._forgets_at or len(self._versions) < self._forgets_at:
            return
        version = self._versions[-self._world.dice.whole(1, 2, _HOW_MUCH)]
        self._forgets_at = 0
        self.data.go_back(version, self._tag())
        self._world.record("the store forgets its last writes")

    def go_back(self, version: Version) -> None:
        """Take what earlier worlds have left."""
        super().go_back(version)
        self._earlier = set(self._trees())

    def jobs(self) -> list[str]:
        """Return the jobs of the world, and those below them."""
        fields = [field for key in self._trees() if key not in self._earlier for field in self.run("HKEYS", key)]
        return sorted(field.removeprefix("job:") for field in fields if field.startswith("job:"))

    def _trees(self) -> list[str]:
        begin, _, end = keys.state_key("*").partition("*")
        return [key for key in self.data.values if key.startswith(begin) and key.endswith(end)]

    def _tag(self) -> str:
        return keys.state_key(self._world.job_id).removesuffix("state")


class SimulatedStore(Store):
    """`Store` of one process."""

    def __init__(self, world: Surroundings, redis: SimulatedRedis, retention_ms: int) -> None:
        super().__init__(InProcessConnection(redis), retention_ms)
        self._world, self._server = world, redis

    async def claim(self, claim: Claim) -> ClaimResult:
        """Load and claim a work item."""
        what = self._named(claim)
        await self._world.point(f"before the claim of {what}")
        answer = await super().claim(claim)
        await self._world.point(f"after the claim of {what}")
        return answer

    async def commit(self, claim: Claim, changes: Changes, continuation: Continuation | None = None) -> Committed:
        """Remove the work item and write its successors."""
        what = self._named(claim)
        await self._world.point(f"before the commit of {what}")
        answer = await super().commit(claim, changes, continuation)
        failed = [call for call in changes.calls if call.error and call.error.type == "may_have_run"]
        self._world.unsure += [call.tool for call in failed if answer.applied]
        self._server.forget()
        await self._world.point(f"after the commit of {what}")
        return answer

    def _named(self, claim: Claim) -> str:
        word = _WORDS.get(kind_of(claim.item_key), "")
        text = self._server.run("HGET", keys.calls_key(claim.job_id), claim.call_id)
        return f"{word} {load_call(text).tool}".strip() if text else word


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
        if (data := self.stored.get(ref_of(ref).path)) is None:
            raise await self._is_gone(ref)
        return await self.put(place, "", data)

    async def delete_below(self, place: str) -> int:
        gone = [path for path in self.stored if path.startswith(f"{place}/")]
        for path in gone:
            del self.stored[path]
        return len(gone)

    async def places(self, within: str, before_ms: int) -> Sequence[str]:
        """Return the places right below a folder: all are old."""
        del before_ms
        return sorted({path.rpartition("/")[0] for path in self.stored if path.startswith(f"{within}/")})

    async def tenants(self) -> Sequence[str]:
        return sorted({path.partition("/")[0] for path in self.stored})


class SimulatedBudgets(Budgets):
    """`Budgets` of one process."""

    def __init__(self, world: Surroundings, connection: RedisConnection) -> None:
        super().__init__(connection)
        self._world = world

    async def reserve(self, wants: Sequence[Want], name: str, event: str, lease_ms: int) -> Reservation:
        """Reserve in all budgets of a call, or in none."""
        await self._world.point("before the reservation of the next turn")
        reservation = await super().reserve(wants, name, event, lease_ms)
        await self._world.point("after the reservation of the next turn")
        return reservation

    async def settle(
        self, wants: Sequence[Want], periods: Sequence[str], name: str, costs: Sequence[int | None]
    ) -> Settled:
        """Let the costs of a call take the place of what it has reserved."""
        await self._world.point("before its cost is settled")
        settled = await super().settle(wants, periods, name, costs)
        await self._world.point("after its cost is settled")
        return settled
