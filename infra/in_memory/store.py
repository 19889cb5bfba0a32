"""The store in memory: the same atomic steps as the Lua scripts, one method each, without I/O or time of its own."""

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from events.core.admission import Book
from events.core.counts import checkpoints_in
from events.core.effects import Changes
from events.core.ends import COUNTED
from events.core.going_on import GoOn
from events.core.legs import Leg
from events.core.records import dump_job
from events.core.state import State
from events.errors import JobGoneError
from events.ids import is_child, root_of
from events.ports import (
    Begun,
    Carried,
    Claim,
    Committed,
    Created,
    Heeded,
    Loaded,
    Looked,
    Outside,
    OutsideFact,
    Recorded,
    Spent,
    Tombstone,
    Undelivered,
    Verdict,
    charge,
)
from events.ports.spending import NOTHING
from infra.in_memory.claiming import (
    appended,
    done,
    ends_otherwise,
    going_on,
    granted,
    handed_on,
    is_anew,
    released,
    with_ticket,
)
from infra.in_memory.holding import given_back, prolonged
from infra.in_memory.tree import NOT_USED, Tree
from infra.in_memory.used_parts import more, with_used
from infra.in_memory.writing import changed, created

_UNKNOWN = Tree()  # what is kept of a job that nobody knows


class InMemoryStore:
    """`Store` over a dict of hash tags."""

    def __init__(self, retention_ms: int = 1_000_000) -> None:
        self.trees: dict[str, Tree] = {}
        self.tool_uses: Counter[str] = Counter()
        self.sums: Counter[str] = Counter()
        self._retention_ms = retention_ms

    def tree(self, job_id: str) -> Tree:
        """The tag of a job."""
        return self.trees.get(root_of(job_id), _UNKNOWN)

    def write(self, job_id: str, tree: Tree) -> None:
        """Keep a tag's new version."""
        if tree is not self.tree(job_id):
            self.trees[root_of(job_id)] = tree

    async def create(self, changes: Changes, message_id: str, now_ms: int, spent: Spent = NOTHING) -> Created:
        """Write a new job carried by its witness, unless it is there."""
        job = changes.job
        assert job is not None
        tree = self.tree(job.id)
        if job.id in tree.jobs:
            charge(requests=1)
            return Created(False, tree.jobs[job.id], self._carried(job.id, message_id, now_ms, free=True))
        if tree.tombstone is not None:
            charge(requests=1)
            raise JobGoneError(job.id)
        tree = created(tree, job, changes, message_id)
        tree = replace(tree, usage={**tree.usage, job.id: more(NOT_USED, spent, now_ms)})
        self.write(job.id, tree)
        return Created(True, job, tree.carried(message_id, now_ms))

    async def begin(self, claim: Claim) -> Begun:
        """Load and claim a leg."""
        charge(requests=1)
        tree = self.tree(claim.job_id)
        job, leg = tree.jobs.get(claim.job_id), tree.legs.get(claim.leg_key)
        if job is None:
            gone = root_of(claim.job_id) in tree.jobs or tree.tombstone is not None
            return Begun(Verdict.APPLIED if gone else Verdict.UNKNOWN)
        if leg is None:
            return Begun(Verdict.APPLIED, carried=self._begun_with(claim, free=True))
        ticketed = with_ticket(claim, tree)
        if refused := self._refused(claim, tree, leg, gated=ticketed.gated(leg, claim.now_ms)):
            return refused
        tree, begun = granted(claim, ticketed, ticketed.legs[leg.key])
        self.write(claim.job_id, tree)
        return replace(begun, carried=self._begun_with(claim, leg.key))

    def _begun_with(self, claim: Claim, but: str = "", *, free: bool = False) -> Carried:
        """What a BEGIN tells: what its message hands on besides its own leg."""
        return self._carried(claim.job_id, claim.message_id, claim.now_ms, but, claim.owner, free=free)

    def _carried(
        self, job_id: str, message_id: str, now_ms: int, but: str = "", owner: str = "", *, free: bool = False
    ) -> Carried:
        """What a message must hand on; who else has claimed it will know that from its mark."""
        before = self.tree(job_id)
        tree, legs = handed_on(before, message_id, now_ms, but, owner, free=free)
        if tree is not before:
            self.write(job_id, tree)
        return legs

    def _refused(self, claim: Claim, tree: Tree, leg: Leg, *, gated: bool) -> Begun | None:
        until_ms, own = 0, leg.carrier == claim.message_id  # which is about to be acknowledged
        if tree.held(leg):
            verdict = Verdict.APPLIED
        elif leg.not_before_ms > claim.now_ms:
            verdict, until_ms = Verdict.EARLY, leg.not_before_ms
        elif leg.owner != claim.owner and leg.lease_until_ms > claim.now_ms:
            verdict, until_ms = Verdict.BUSY, leg.lease_until_ms
        elif gated:
            verdict = Verdict.GATED
            tree = tree.settled(claim.job_id, claim.message_id, claim.now_ms)
        else:
            return None
        self.write(claim.job_id, released(tree, tree.legs[leg.key], claim.owner)[0] if own else tree)
        if verdict is Verdict.GATED:
            return Begun(verdict, carried=self._begun_with(claim))
        return Begun(verdict, until_ms, carried=self._begun_with(claim, leg.key, free=True))

    async def commit(self, claim: Claim, changes: Changes, spent: Spent, go_on: GoOn | None = None) -> Committed:
        """Remove the leg and write what follows from it, unless somebody did; claim what is gone on with."""
        committed = self._committed(claim, changes, spent, go_on)
        if not committed.applied:
            charge(requests=1)
        return committed

    def _committed(self, claim: Claim, changes: Changes, spent: Spent, go_on: GoOn | None) -> Committed:
        if changes.used:
            self.tool_uses[changes.used.count] += 1
        self.sums.update(changes.counts)
        tree = self.tree(claim.job_id)
        if claim.job_id not in tree.jobs:
            return Committed(False)
        leg = tree.legs.get(claim.leg_key)
        gone = leg is None or tree.blocked(leg) or claim.run != tree.jobs[claim.job_id].run or is_anew(leg, claim)
        applied = not gone and not ends_otherwise(tree, claim, changes)
        before = tree
        if applied:
            tree, changes = done(tree, claim, changes)
            tree = self._changed(tree, claim.job_id, claim.message_id, changes, spent, claim.now_ms)
        tree, committed = going_on(claim, tree, go_on, leg if applied else None)
        tree = with_used(before, tree, claim.job_id) if applied else tree
        if tree is not before:
            self.write(claim.job_id, tree)
        return committed

    async def load(self, job_id: str) -> Loaded | None:
        """A job, for deciding on a fact from outside."""
        charge(requests=1)
        job = self.tree(job_id).jobs.get(job_id)
        return Loaded(job, dump_job(job)) if job else None

    async def record(
        self, loaded: Loaded, message_id: str, changes: Changes, now_ms: int, spent: Spent = NOTHING
    ) -> tuple[Recorded, Carried]:
        """Write what follows from a fact, if the job is still as it was loaded."""
        job_id = loaded.job.id
        tree = self.tree(job_id)
        if tree.jobs.get(job_id) != loaded.job:
            charge(requests=1)
            return (Recorded.CHANGED if job_id in tree.jobs else Recorded.UNKNOWN), ()
        tree = with_used(tree, self._changed(tree, job_id, message_id, changes, spent, now_ms), job_id)
        self.write(job_id, tree)
        again = changes.job is None and not changes.legs
        return Recorded.COMMITTED, self._carried(job_id, message_id, now_ms, free=again)

    def _changed(self, tree: Tree, job_id: str, message_id: str, changes: Changes, spent: Spent, now_ms: int) -> Tree:
        tree = changed(tree, job_id, message_id, changes, now_ms)
        used = tree.usage.get(job_id, NOT_USED)
        if changes.begins_again:  # what was used before has been told
            before = {name: getattr(used, name) for name in COUNTED}
            used = replace(used, before=before, counted=used.written)
        tree = replace(tree, usage={**tree.usage, job_id: more(used, spent, now_ms)})
        if not changes.ends or is_child(job_id):
            return tree
        tombstone = Tombstone(tree.jobs[job_id].tenant, deleted=False)
        return replace(tree, expires_ms=now_ms + self._retention_ms, tombstone=tombstone)

    async def tell(
        self, job_id: str, message_id: str, fact: OutsideFact, now_ms: int, spent: Spent = NOTHING
    ) -> Outside:
        """A fact from outside ends a wait, or is kept until there is one."""
        told = self._heeded(job_id, message_id, fact, now_ms, spent)
        if not told.heeded.is_new:
            charge(requests=1)
        return told

    def _heeded(self, job_id: str, message_id: str, fact: OutsideFact, now_ms: int, spent: Spent) -> Outside:
        tree = self.tree(job_id)
        job = tree.jobs.get(job_id)
        if job is None and tree.tombstone is not None:
            return Outside(Heeded.ENDED)
        early = bool(fact.call_id) and fact.call_id not in tree.calls.get(job_id, {})
        if job is None or (early and fact.run > job.run):
            return Outside(Heeded.UNKNOWN)
        results = tree.results.get(job_id, {})
        known = results.get(fact.call_id or f"event:{fact.id}", results.get(f"early:{fact.call_id}"))
        if known is not None:
            word = Heeded.AGAIN if known == fact.outcome else Heeded.OTHER
            return Outside(word, job, self._carried(job_id, message_id, now_ms, free=True))
        if job.ended or (fact.call_id and fact.run < job.run):
            return Outside(Heeded.ENDED, job, self._carried(job_id, message_id, now_ms, free=True))
        tree = tree.told(job_id, fact, message_id, now_ms).settled(job_id, message_id, now_ms)
        used = tree.usage.get(job_id, NOT_USED)
        tree = replace(tree, usage={**tree.usage, job_id: more(used, spent, used.updated_ms)})
        self.write(job_id, tree)
        return Outside(Heeded.EARLY if early else Heeded.FIRST, job, self._carried(job_id, message_id, now_ms))

    async def renew(self, claims: Sequence[Claim], lease_until_ms: int) -> Sequence[str]:
        """Prolong claims that their owners still hold."""
        charge(requests=1)
        tree, lost = prolonged(self.tree(claims[0].job_id), claims, lease_until_ms)
        self.write(claims[0].job_id, tree)
        return lost

    async def give_back(self, claim: Claim, now_ms: int, *, begun: bool) -> None:
        """End a claim that its owner still holds."""
        charge(requests=1)
        self.write(claim.job_id, given_back(self.tree(claim.job_id), claim, now_ms, begun=begun))

    async def undelivered(self, claim: Claim, source_message_id: str, *, throttled: bool = False) -> Undelivered:
        """Count that the queue gave up on the source message; once for each callback message."""
        charge(requests=1)
        tree = self.tree(claim.job_id)
        job, leg = tree.jobs.get(claim.job_id), tree.legs.get(claim.leg_key)
        if job is None:
            return Undelivered(None)
        by_source = self._carried(claim.job_id, source_message_id, claim.now_ms, claim.leg_key)
        carried = (*by_source, *self._carried(claim.job_id, claim.message_id, claim.now_ms, claim.leg_key))
        tree = self.tree(claim.job_id)
        if leg is None:
            return Undelivered(None, carried, job.session_id)
        tree, leg = released(tree, leg)  # its event is published anew
        if f",{claim.message_id}," not in f",{leg.counted}":
            leg = replace(leg, driven=leg.driven + throttled, undelivered=leg.undelivered + (not throttled))
            leg = replace(leg, counted=f"{leg.counted}{claim.message_id},")
            tree = replace(tree, legs={**tree.legs, leg.key: leg})
        self.write(claim.job_id, tree)
        record = tree.calls.get(claim.job_id, {}).get(claim.call_id)
        return Undelivered(State(job, leg, record), carried, job.session_id)

    async def look(
        self, root_id: str, message_id: str, now_ms: int, lost_after_ms: int, book: Book, only: str = ""
    ) -> Looked:
        """Legs without progress get this message as carrier; wishes that the admission forgot are wished again."""
        charge(requests=1)
        if root_id not in (tree := self.tree(root_id)).jobs:
            return Looked(known=False)
        lost: list[Leg] = []
        for job_id in sorted(name for name in tree.jobs if name == only or not only):
            tree = tree.settled(job_id, message_id, now_ms)
            entry = book.get(job_id)
            if not tree.agrees(job_id, entry) and now_ms - tree.said_ms(job_id) > lost_after_ms / 2:
                tree = tree.wishing(job_id, tree.standing(job_id).want, message_id, now_ms)
            found = tree.without_progress(job_id, entry, message_id, now_ms, lost_after_ms)
            tree, lost = replace(tree, legs={**tree.legs, **{leg.key: leg for leg in found}}), [*lost, *found]
        self.write(root_id, tree)
        forgotten = tuple(sorted(name for name in book if root_of(name) == root_id and name not in tree.jobs))
        return Looked(True, tuple(lost), tree.jobs[root_id].session_id, tree.over(), forgotten)

    async def look_all(
        self, trees: Mapping[str, Book], message_id: str, now_ms: int, lost_after_ms: int
    ) -> dict[str, Looked]:
        """Look at many trees."""
        return {root: await self.look(root, message_id, now_ms, lost_after_ms, trees[root]) for root in trees}

    async def append(self, claim: Claim, sequence: int, parts: Sequence[str], text_id: str = "") -> bool:
        """Append parts in mid-work, only while the claim holds the leg."""
        self.sums.update(checkpoints_in(parts))
        tree = appended(claim, self.tree(claim.job_id), sequence, parts, text_id)
        if tree is not None and tree is not self.tree(claim.job_id):
            self.write(claim.job_id, tree)  # then the leg counts the request
        else:
            charge(requests=1)
        return tree is not None
