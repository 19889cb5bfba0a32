"""What is written is shown to the invariants: each transition of a request by itself, whoever asked for it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from baton.engine.commit.answers import Claim, ClaimResult, Committed, Created, Recorded, SignalAnswer, Verdict
from baton.engine.commit.tree import Tree
from tests.simulation.billing import ON_BILLED, Billed
from tests.simulation.blocking import ON_TIME_OUT
from tests.simulation.call_limits import ON_LIMITED_WRITE
from tests.simulation.dying import ON_DEATHS
from tests.simulation.guarantee import ON_BEGINNING, ON_GOING_ON, Begins, GoesOn
from tests.simulation.invariants import ON_WRITE, Write
from tests.simulation.invocation import CURRENT, Invocation
from tests.simulation.kept import Kept
from tests.simulation.objects import ON_REFS
from tests.simulation.odd import ON_ODD_WRITE
from tests.simulation.places import ON_PLACES
from tests.simulation.returning import ON_RETURNS
from tests.simulation.stored import between, with_objects_of
from tests.simulation.streaming import ON_STREAMING, ON_STREAMS, Sent
from tests.simulation.waiting import ON_WAITS
from tests.simulation.watching import Watched, changed

if TYPE_CHECKING:
    from tests.simulation.store_connection import Requested
    from tests.simulation.world import World

# What a world's writes are held to, before and after those who decide about questions hear of them.
_ALWAYS = (*ON_WRITE, *ON_DEATHS, *ON_PLACES, *ON_TIME_OUT, *ON_LIMITED_WRITE, *ON_ODD_WRITE, *ON_REFS)
_PLAIN, _STREAMED = Watched(_ALWAYS), Watched((*_ALWAYS, *ON_STREAMS))
_RETURNING, _WAITING = Watched(ON_RETURNS), Watched((*ON_RETURNS, *ON_WAITS))


class Made:
    """A transition as it was made: of what the process knew of the tree, and what came of it."""

    __slots__ = ("after", "answer", "before", "changes", "requested")

    def __init__(self, requested: "Requested", before: Tree, after: Tree, answer: Any) -> None:
        self.requested, self.before, self.after, self.answer = requested, before, after, answer
        self.changes = bool(changed(before, after))

    @property
    def paid_by(self) -> str:
        """The job whose usage ledger has the request; empty: none has."""
        answer, claim = self.answer, self.requested.claim
        if isinstance(answer, Committed) and claim is not None:
            return claim.job_id if answer.applied else ""
        if isinstance(answer, Created):
            return answer.job.id if answer.new else ""
        if isinstance(answer, SignalAnswer):
            return answer.job.id if answer.job and answer.signal_result.is_new else ""
        recorded = isinstance(answer, tuple) and answer[0] is Recorded.COMMITTED
        return "another" if recorded and self.after.usage is not self.before.usage else ""

    @property
    def pays(self) -> bool:
        """Whether some ledger has what its invocation spent: a claim that counts what others appended pays, too."""
        claim = self.requested.claim
        of_claim = claim is not None and self.after.usage.get(claim.job_id) is not self.before.usage.get(claim.job_id)
        return bool(self.paid_by) or of_claim


def show_writes(world: "World", root: str, kept: Kept, made: Sequence[Made]) -> None:
    """A request was written: keep it, and hold each of its transitions to the invariants that it concerns."""
    stored = world.fake
    first = before = stored.tree(root)
    last = stored.wrote(root, kept)
    payers = [number for number, each in enumerate(made) if each.paid_by]
    paying = payers[-1] if payers else max((number for number, each in enumerate(made) if each.changes))
    trees = _one_by_one(before, last, made, paying) if len(made) > 1 else [last]
    for number, (each, after) in enumerate(zip(made, trees, strict=True)):
        stored.trees[root] = after
        with running_as(each.requested.who):
            _show(world, each, before, after, each.paid_by if number == paying else "")
        before = after
    _bill(world, root, first, last, [each.requested.who for each in made if each.pays])
    world.memory.wrote(root)


def _bill(world: "World", root: str, before: Tree, after: Tree, who: Sequence[Invocation]) -> None:
    anew = [each for each in who if not each.billed]
    billed = Billed(before, after, who, anew)
    world.check(ON_BILLED, billed)
    if billed.is_owed and not billed.is_unsure:
        anew[0].owes = True
        return
    for each in anew:
        each.billed = True
        world.memory.undone_by_a_failover(root, each.forget_bill)


def _one_by_one(before: Tree, last: Tree, made: Sequence[Made], paying: int) -> list[Tree]:
    """The tree after each of several transitions; what they used is one request's, and written with who pays for it."""
    trees, tree = list[Tree](), before
    for number, each in enumerate(made):
        if each.changes:
            tree = between(tree, each.before, each.after)
            parts = {job_id: last.parts[job_id][: len(entries)] for job_id, entries in tree.parts.items()}
            tree = replace(tree, usage=last.usage if number == paying else tree.usage, parts=parts)
        trees.append(tree)
    whole = with_objects_of(last, tree)
    return [whole if each is tree else each for each in trees]


@contextmanager
def running_as(who: Invocation) -> Iterator[None]:
    """For the time of the block this one is at work: one process does what several wait for."""
    token = CURRENT.set(who)
    try:
        yield
    finally:
        CURRENT.reset(token)


def _show(world: "World", made: Made, before: Tree, after: Tree, pays: str) -> None:
    requested = made.requested
    given_up, requested.was_written = requested.over, True
    if not given_up or requested.op == "append":  # what was said is said, whoever waits for the answer
        received(world, requested, made.answer, before, after)
    if after is not before:
        if given_up and requested.claim:
            world.memory.answer_of_long_ago(requested.claim.job_id)
        write = Write(world, requested.op, requested.claim, before, after, made.answer, pays)
        check(world, write)
        excuse(world, requested.who, write, late=given_up)


def check(world: "World", write: Write) -> None:
    """A tag has a new version: hold it to the invariants that it concerns."""
    before, after, op = write.before, write.after, write.op
    plan, bits = world.plan, changed(before, after)
    world.check((_STREAMED if plan.streams else _PLAIN).by(op, bits), write)
    world.deciders.written(before, after)
    world.check((_WAITING if plan.waits else _RETURNING).by(op, bits), write)
    if after.jobs is not before.jobs:
        world.ends.wrote(before, after)


def excuse(world: "World", who: Invocation, write: Write, *, late: bool = False) -> None:
    """Note what nobody may bring on, and what is brought on again. `late`: nobody waits for it any more."""
    op, claim, before, after = write.op, write.claim, write.before, write.after
    late = late or who.zombie or who.abandoned
    if op in ("renew", "give_back"):  # nothing is new
        pass
    elif op == "reconcile" and late:
        world.excused.looked_too_late(before, after)
    elif late:
        world.excused.wrote_too_late(before, after)
    elif who.cut:
        world.excused.wrote_unguaranteed(claim, before, after)
    elif op == "claim" and claim is not None:
        world.excused.taken_up(claim.item_key, after)


def received(world: "World", requested: "Requested", answer: Any, before: Tree, after: Tree) -> None:
    """What follows for the world of what somebody is told: who has claimed what, and who goes on."""
    claim = requested.claim
    if claim is None:
        return
    if isinstance(answer, ClaimResult):
        _begun(world, claim, answer, before, after)
    elif isinstance(answer, Committed):
        _committed(world, requested, claim, answer)
    elif requested.op == "append" and answer:
        world.check(ON_STREAMING, Sent(world, claim, requested.sequence, before is after))


def _begun(world: "World", claim: Claim, claim_result: ClaimResult, before: Tree, after: Tree) -> None:
    world.actors.claim_result(claim, claim_result)
    if claim_result.verdict is Verdict.GRANTED:
        world.check(ON_BEGINNING, Begins(world, CURRENT.get(), claim, after))


def _committed(world: "World", requested: "Requested", claim: Claim, committed: Committed) -> None:
    who = requested.who
    for claim_result in committed.claimed:
        if claim_result.state:
            item = claim_result.state.item
            mine = replace(claim, job_id=item.job_id, item_key=item.key, call_id=item.call_id, owner=item.owner)
            world.actors.claim_result(mine, claim_result)
    if committed.claimed:
        world.check(ON_GOING_ON, GoesOn(world, who, claim, committed))
    if committed.applied and requested.gives_slot and (who.zombie or who.stalled):
        world.memory.answer_of_long_ago(claim.job_id)
