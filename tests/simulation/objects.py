"""Large payloads of a world: an object store behind a wire that fails, and what must hold of records that name objects.

Invariant: what is kept here is what was written, at the moment at which it was applied; no failover of the store
forgets any of it, so a record may be older than its objects. Each task and each result is large in these worlds.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from baton.engine.commit.answers import LEAST_TOMBSTONE_MS
from baton.engine.commit.tree import Tree
from baton.settings.settings import Settings
from baton.store.objects import Objects
from baton.store.records.objects import job_place, ref_of
from baton.store.redis.archive import Archive
from baton.store.redis.keys import state_key
from baton.worker.recovery.maintenance import ObjectPruning, Pruning
from baton_events.errors import ObjectStoreError, PayloadGoneError
from baton_events.ids import canonical_json
from tests.simulation.jobs import TENANTS
from tests.simulation.stored import RETENTION_MS, tag_alone
from tests.simulation.watching import of
from tests.simulation.wire import at_once

if TYPE_CHECKING:
    from tests.simulation.invariants import Write
    from tests.simulation.world import World

_T = TypeVar("_T")
# So long after the last end: its data has expired, and its tombstone is still there.
_LATER_MS, _MOST_ROWS = RETENTION_MS + 7_200_000, 10_000
# So long that no tombstone is, and no message can bring back what has none.
_MUCH_LATER_MS = _LATER_MS + 2 * RETENTION_MS + LEAST_TOMBSTONE_MS


class KeptObjects(Objects):
    """The object store itself: each request is applied at once. `kept`: contents by their paths."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.kept: dict[str, bytes] = {}

    async def put(self, place: str, tenant: str, data: bytes) -> str:
        del tenant
        ref = await self.ref(place, data)
        self.kept.setdefault(ref.path, data)
        return str(ref)

    async def get(self, ref: str) -> bytes:
        if (data := self.kept.get(ref_of(ref).path)) is None:
            raise PayloadGoneError(ref)
        return data

    async def chunks(self, ref: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        yield (await self.get(ref))[start:end]

    async def copy(self, ref: str, place: str) -> str:
        return await self.put(place, "", await self.get(ref))

    async def delete_below(self, place: str) -> int:
        gone = self.below(place)
        for path in gone:
            del self.kept[path]
        return len(gone)

    async def tenants(self) -> list[str]:
        return []  # nobody keeps files of a session

    async def has(self, ref: str | None = None) -> bool:
        return ref is not None and ref_of(ref).path in self.kept

    def below(self, place: str) -> list[str]:
        return [path for path in self.kept if path.startswith(f"{place}/")]


class SimObjects(KeptObjects):
    """The same as the functions of a world see it: each request may be lost, late, or the last one of its process."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world, self.kept = world, world.objects.kept

    async def put(self, place: str, tenant: str, data: bytes) -> str:
        return await self._request("put", lambda: at_once(KeptObjects.put(self, place, tenant, data)))

    async def get(self, ref: str) -> bytes:
        return await self._request("get", lambda: at_once(KeptObjects.get(self, ref)))

    async def has(self, ref: str | None = None) -> bool:
        return await self._request("head", lambda: at_once(KeptObjects.has(self, ref)))

    async def delete_below(self, place: str) -> int:
        return await self._request("delete", lambda: at_once(KeptObjects.delete_below(self, place)))

    async def _request(self, op: str, apply: Callable[[], _T]) -> _T:
        return await self._world.wire.request(f"objects.{op}", "objects", "objects", apply, ObjectStoreError)


def never_accepted(world: "World", job_id: str) -> bool:
    """Whether nobody was told of a job, and its task was not stored: no message may bring that."""
    if not world.plan.apart or job_id in world.accepted_jobs:
        return False
    return not any(world.objects.below(job_place(tenant, job_id)) for tenant in TENANTS)


def whole(world: "World", stored: Any) -> Any:
    """A recorded result, with its value where that is an object."""
    if not isinstance(stored, dict) or "apart" not in stored:
        return stored
    value = json.loads(at_once(world.objects.get(stored["ok"]["ref"])))
    return {**{name: kept for name, kept in stored.items() if name != "apart"}, "ok": value}


def whole_texts(world: "World", results: Mapping[str, str]) -> dict[str, str]:
    """Recorded results as they were sent, whether their values are objects or not."""
    return {name: canonical_json(whole(world, json.loads(text))) for name, text in results.items() if text}


def _named(tree: Tree, before: Tree | None = None) -> Iterator[tuple[str, str]]:
    """The refs that records of a tree name, with what names them; those alone that an older version has not."""
    for job_id, results in tree.results.items():
        known = before.results.get(job_id, {}) if before else {}
        for call_id, text in results.items():
            if '"apart"' in text and text != known.get(call_id) and "apart" in (stored := json.loads(text)):
                yield call_id, stored["ok"]["ref"]
    for job_id, entries in tree.transcript.items():
        if entries and not (before and before.transcript.get(job_id)) and "apart" in (task := json.loads(entries[0])):
            yield job_id, task["apart"]["ref"]


def _brings_back(world: "World", job_id: str) -> bool:
    """Whether a failover may have brought a job back after its objects were deleted."""
    return job_id in world.returns.deleting and world.memory.ever_lost_writes(job_id)


def a_committed_ref_has_its_object(write: "Write") -> str | None:
    """Whatever died meanwhile: what a record names was written before it."""
    world = write.world
    for name, ref in _named(write.after, write.before):
        root = next(iter(write.after.jobs))
        if ref_of(ref).path not in world.objects.kept and not _brings_back(world, root):
            return f"{write.op} names {ref} for {name}, which is not there"
    return None


ON_REFS = (of("results transcript", a_committed_ref_has_its_object),)


def a_kept_ref_has_its_object(world: "World") -> str | None:
    """What lives, or has ended and may still be read, lost nothing to the deletion of others."""
    for root, tree in world.trees.items():
        for name, ref in _named(tree) if tree.jobs else ():
            if ref_of(ref).path not in world.objects.kept and not _brings_back(world, root):
                return f"{root} names {ref} for {name}, which is not there"
    return None


def a_deleted_job_has_no_object(world: "World") -> str | None:
    """Neither what it had, nor what an attempt of it wrote late."""
    for root, tree in world.trees.items():
        if tree.jobs or tree.tombstone is None:
            continue
        if left := world.objects.below(job_place(tree.tombstone.tenant, root)):
            return f"{root} is deleted, and {left} are left"
    return None


def nothing_outlives_its_job(world: "World") -> str | None:
    """Once all data has expired, the hourly pruning leaves no object; but for those of jobs that no list knows.

    A job that waits for ever keeps its data. One that was never there, since all who brought it died, has a row alone:
    its objects go when no message can bring it any more.
    """
    left_out = {job_place(job.tenant, job.id) for job in (*_unlisted(world), *_waiting(world))}
    never_there = {job_place(tenant, job_id) for job_id in _never_there(world) for tenant in TENANTS}
    kept, lists = dict(world.objects.kept), world.all_jobs.redis.version()
    left = _left_after(world, _LATER_MS, left_out | never_there) or _left_after(world, _MUCH_LATER_MS, left_out)
    world.objects.kept.update(kept)  # somebody may come and read all (odd.py)
    world.all_jobs.redis.go_back(lists)
    return f"all has expired, and {left} are left" if left else None


ON_OBJECTS = (a_kept_ref_has_its_object, a_deleted_job_has_no_object, nothing_outlives_its_job)


def _left_after(world: "World", later_ms: int, left_out: set[str]) -> list[str]:
    at_once(_pruning(world, later_ms).prune())
    return [path for path in world.objects.kept if path.rpartition("/")[0] not in left_out]


def _listed(world: "World") -> set[str]:
    rows = at_once(world.all_jobs.ports.listing.old("", world.now_ms() + _LATER_MS, _MOST_ROWS)).found
    return {row.job_id for row in rows}


def _waiting(world: "World") -> list[Any]:
    return [job for root, tree in world.trees.items() for job in tree.jobs.values() if job.id == root and not job.ended]


def _never_there(world: "World") -> set[str]:
    return {job_id for job_id in _listed(world) - world.trees.keys() if job_id not in world.accepted_jobs}


def _unlisted(world: "World") -> list[Any]:
    listed = _listed(world)
    return [job for root, tree in world.trees.items() for job in tree.jobs.values() if job.id == root not in listed]


class _Expired:
    """What the pruning asks when no data is left: a reader that knows no job, a clock, and the tombstones."""

    def __init__(self, world: "World", later_ms: int) -> None:
        self._world, self._later_ms = world, later_ms

    def now_ms(self) -> int:
        return self._world.now_ms() + self._later_ms

    async def known(self, _job_ids: list[str]) -> frozenset[str]:
        return frozenset()

    async def tombstone(self, job_id: str) -> Any:
        kept = self._world.fake.keys(job_id).copy()
        kept.values.pop(state_key(job_id), None)
        return await Archive(tag_alone(self._world, kept), RETENTION_MS).tombstone(job_id)

    async def prune_apart(self, _now_ms: int) -> int:
        return 0


def _pruning(world: "World", later_ms: int) -> Pruning:
    expired: Any = _Expired(world, later_ms)
    pruning = Pruning(world.all_jobs.ports.listing, expired, expired, expired, RETENTION_MS)
    pruning.objects = ObjectPruning(world.objects, expired, expired)
    return pruning
