"""The store and the reader, as functions see them: the named fakes behind a wire that fails.

Every write is shown to the invariants, with the tag's version before and after. Since a Tree never changes, versions
cost nothing, and reads may show an older one.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace

from events.core.admission import Book
from events.core.effects import Changes
from events.core.going_on import GoOn
from events.core.state import CallRecord, Job
from events.errors import StoreError
from events.ids import root_of
from events.ports import (
    Begun,
    Carried,
    Claim,
    Committed,
    Created,
    Loaded,
    Looked,
    Outside,
    OutsideFact,
    Recorded,
    Snapshot,
    Spent,
    StoredParts,
    Undelivered,
    Verdict,
)
from events.ports.spending import NOTHING
from tests.fakes import FakeReader, FakeStore
from tests.simulation.blocking import ON_TIME_OUT
from tests.simulation.dying import ON_DEATHS
from tests.simulation.going_on import ON_BEGINNING, ON_GOING_ON, Begins, GoesOn
from tests.simulation.invariants import ON_SAYING, ON_WRITE, Said, Write
from tests.simulation.invocation import CURRENT, Invocation
from tests.simulation.places import ON_PLACES
from tests.simulation.reads_known import ReadsKnown
from tests.simulation.retried import ON_RETURNS
from tests.simulation.stored import NOTHING_STORED, shown
from tests.simulation.streaming import ON_STREAMS
from tests.simulation.versions import as_another_version_writes, is_other_version
from tests.simulation.waiting import ON_WAITS
from tests.simulation.watching import Watched, changed

if TYPE_CHECKING:
    from tests.simulation.world import World

_T = TypeVar("_T")


def at_once(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """The result of a coroutine of a fake, which never waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: _T = end.value
        return result
    raise AssertionError("a fake waits for something")


# What a world's writes are held to, before and after those who decide about questions hear of them.
_ALWAYS = (*ON_WRITE, *ON_DEATHS, *ON_PLACES, *ON_TIME_OUT)
_PLAIN, _STREAMED = Watched(_ALWAYS), Watched((*_ALWAYS, *ON_STREAMS))
_RETURNING, _WAITING = Watched(ON_RETURNS), Watched((*ON_RETURNS, *ON_WAITS))


class SimStore:
    """`Store` behind a wire."""

    def __init__(self, world: "World", fake: FakeStore) -> None:
        self._world = world
        self._fake = fake

    async def create(self, changes: Changes, message_id: str, now_ms: int, spent: Spent = NOTHING) -> Created:
        """Write a new job."""
        assert changes.job is not None, "a creation has a job"
        changes = self._written(changes)
        assert changes.job is not None, "and it stays"
        return await self.ask(
            "create", changes.job.id, None, lambda: self._fake.create(changes, message_id, now_ms, spent)
        )

    async def begin(self, claim: Claim) -> Begun:
        """Load and claim a leg."""
        self._goes_on(CURRENT.get(), claim.leg_key, goes_on=True)
        return await self.ask("begin", claim.job_id, claim, lambda: self._begun(claim))

    async def _begun(self, claim: Claim) -> Begun:
        had = self._fake.tree(claim.job_id).standing(claim.job_id).slot
        begun = await self._fake.begin(claim)
        if begun.verdict is Verdict.GRANTED:
            self._world.check(ON_BEGINNING, Begins(self._world, CURRENT.get(), claim, self._fake.tree(claim.job_id)))
        if claim.ticket and not had and self._fake.tree(claim.job_id).standing(claim.job_id).slot:
            self._world.memory.answer_of_long_ago(claim.job_id)
        return begun

    async def commit(self, claim: Claim, changes: Changes, spent: Spent, go_on: GoOn | None = None) -> Committed:
        """Remove the leg and write what follows; claim what the invocation goes on with."""
        changes = self._written(changes)
        self._goes_on(CURRENT.get(), claim.leg_key, goes_on=go_on is not None)
        return await self.ask("commit", claim.job_id, claim, lambda: self._committed(claim, changes, spent, go_on))

    def _goes_on(self, who: Invocation, leg_key: str, *, goes_on: bool) -> None:
        if goes_on and who.zombie and not who.stalled and not who.dead:
            self._world.broken("a_chain_ends_before_the_queue_gives_up", f"{who.name} goes on after {leg_key}")

    async def _committed(self, claim: Claim, changes: Changes, spent: Spent, go_on: GoOn | None) -> Committed:
        committed = await self._fake.commit(claim, changes, spent, go_on)
        for begun in committed.claimed:
            if begun.state:
                leg = begun.state.leg
                mine = replace(claim, job_id=leg.job_id, leg_key=leg.key, call_id=leg.call_id, owner=leg.owner)
                self._world.actors.begun(mine, begun)
        who = CURRENT.get()
        if committed.claimed:
            self._world.check(ON_GOING_ON, GoesOn(self._world, who, claim, committed))
        if committed.applied and changes.admitted and (who.zombie or who.stalled):
            self._world.memory.answer_of_long_ago(claim.job_id)
        return committed

    async def renew(self, claims: Sequence[Claim], lease_until_ms: int) -> Sequence[str]:
        """Prolong claims."""
        first = claims[0]
        return await self.ask(
            "renew", first.job_id, first, lambda: self._fake.renew(claims, lease_until_ms), "store-renew"
        )

    async def give_back(self, claim: Claim, now_ms: int, *, begun: bool) -> None:
        """End a claim."""
        await self.ask("give_back", claim.job_id, claim, lambda: self._fake.give_back(claim, now_ms, begun=begun))

    async def undelivered(self, claim: Claim, source_message_id: str, *, throttled: bool = False) -> Undelivered:
        """Count that the queue gave up."""
        count = partial(self._fake.undelivered, claim, source_message_id, throttled=throttled)
        return await self.ask("undelivered", claim.job_id, claim, count)

    async def look(
        self, root_id: str, message_id: str, now_ms: int, lost_after_ms: int, book: Book, only: str = ""
    ) -> Looked:
        """Legs without progress."""
        look = partial(self._fake.look, root_id, message_id, now_ms, lost_after_ms, book, only)
        return await self.ask("look", root_id, None, look)

    async def look_all(
        self, trees: Mapping[str, Book], message_id: str, now_ms: int, lost_after_ms: int
    ) -> dict[str, Looked]:
        """Look at many trees; each is found as it is at another moment."""
        return {root: await self.look(root, message_id, now_ms, lost_after_ms, trees[root]) for root in trees}

    async def load(self, job_id: str) -> Loaded | None:
        """A job, for deciding on a fact."""
        return await self.ask("load", job_id, None, lambda: shown(self._world, job_id, "load").load(job_id))

    async def record(
        self, loaded: Loaded, message_id: str, changes: Changes, now_ms: int, spent: Spent = NOTHING
    ) -> tuple[Recorded, Carried]:
        """Write what follows from a fact."""
        changes = self._written(changes)
        return await self.ask(
            "record", loaded.job.id, None, lambda: self._fake.record(loaded, message_id, changes, now_ms, spent)
        )

    async def tell(
        self, job_id: str, message_id: str, fact: OutsideFact, now_ms: int, spent: Spent = NOTHING
    ) -> Outside:
        """A fact from outside."""
        return await self.ask("tell", job_id, None, lambda: self._fake.tell(job_id, message_id, fact, now_ms, spent))

    def _written(self, changes: Changes) -> Changes:
        if is_other_version(self._world, CURRENT.get()):
            return as_another_version_writes(self._world, changes)
        return changes

    async def append(self, claim: Claim, sequence: int, parts: Sequence[str], text_id: str = "") -> bool:
        """Append parts in mid-work."""

        async def append() -> bool:
            before = self._fake.tree(claim.job_id)
            held = await self._fake.append(claim, sequence, parts, text_id)
            said = Said(self._world, claim, sequence, held and self._fake.tree(claim.job_id) is before)
            self._world.check(ON_SAYING, said)
            return held

        group = "store-in-talk" if text_id else "store-in-work"
        return await self.ask("append", claim.job_id, claim, append, group)

    async def ask(
        self,
        op: str,
        job_id: str,
        claim: Claim | None,
        make: Callable[[], Coroutine[Any, Any, _T]],
        group: str = "store",
    ) -> _T:
        """One command about a job's tag, which may be lost; what it writes is shown to the invariants."""
        world, trees, root = self._world, self._fake.trees, root_of(job_id)

        def apply() -> _T:
            before = trees.get(root, NOTHING_STORED)
            answer = at_once(make())
            after = trees.get(root, NOTHING_STORED)
            if op == "begin" and claim is not None and isinstance(answer, Begun):
                world.actors.begun(claim, answer)
            if after is not before:
                self._wrote(root, Write(world, op, claim, before, after, answer))
                who = CURRENT.get()
                if op in ("renew", "give_back"):  # nothing is new
                    pass
                elif who.zombie or who.abandoned:
                    late = world.excused.looked_too_late if op == "look" else world.excused.wrote_too_late
                    late(before, after)
                elif who.cut:
                    world.excused.wrote_uncarried(claim, before, after)
                elif op == "begin" and claim is not None:
                    world.excused.taken_up(claim.leg_key, after)
            world.memory.strike(root)
            return answer

        return await world.wire.request(f"store.{op}", group, "store", apply, StoreError)

    def _wrote(self, root: str, write: Write) -> None:
        """A tag has a new version: hold it to the invariants that it concerns."""
        world, before, after = self._world, write.before, write.after
        plan, op, bits = world.plan, write.op, changed(before, after)
        world.check((_STREAMED if plan.streams else _PLAIN).by(op, bits), write)
        world.deciders.written(before, after)
        world.check((_WAITING if plan.waits else _RETURNING).by(op, bits), write)
        world.memory.wrote(root, after)
        if after.jobs is not before.jobs:
            world.ends.wrote(before, after)


class SimReader(ReadsKnown):
    """`Reader` behind a wire."""

    def __init__(self, world: "World", fake: FakeReader) -> None:
        self._world = world
        self._fake = fake

    async def job(self, job_id: str) -> Snapshot | None:
        """Everything about a job."""
        return await self._world.wire.request(
            "reader.job", "store", "store", lambda: at_once(self._shown(job_id).job(job_id)), StoreError
        )

    async def jobs(self, job_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Many jobs: each read is as old as it happens to be."""

        def read() -> dict[str, Snapshot]:
            return {name: one for name in job_ids if (one := at_once(self._shown(name).job(name))) is not None}

        return await self._world.wire.request("reader.jobs", "store", "store", read, StoreError)

    async def parts(self, job_id: str, after: int) -> StoredParts:
        """The job's parts."""
        return await self._world.wire.request(
            "reader.parts", "store", "store", lambda: at_once(self._shown(job_id).parts(job_id, after)), StoreError
        )

    async def result(self, job_id: str, call_id: str) -> tuple[Job | None, CallRecord | None, dict[str, Any]]:
        """One result."""
        return await self._world.wire.request(
            "reader.result", "store", "store", lambda: at_once(self._shown(job_id).result(job_id, call_id)), StoreError
        )

    async def parts_after(self, job_id: str, after: int) -> tuple[str, ...]:
        """The job's parts, alone."""
        return await self._world.wire.request(
            "reader.parts_after",
            "store",
            "store",
            lambda: at_once(self._shown(job_id).parts_after(job_id, after)),
            StoreError,
        )

    async def transcript(self, job_id: str) -> tuple[dict[str, Any], ...]:
        """The job's transcript."""
        return await self._world.wire.request(
            "reader.transcript", "store", "store", lambda: at_once(self._shown(job_id).transcript(job_id)), StoreError
        )

    def _shown(self, job_id: str) -> FakeReader:
        return FakeReader(shown(self._world, job_id, "reader"), self._world.admission)

    async def ping(self) -> None:
        """Whether the store answers."""
        await self._fake.ping()

    async def close(self) -> None:
        """Nothing is open."""
