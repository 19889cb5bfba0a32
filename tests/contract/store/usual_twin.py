"""A usual step beside the same step as `Attempt` makes it of the same tree: request, answer, bill, and known tree."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct, structs
from msgspec.structs import replace

from baton.engine.commit.answers import Committed
from baton.engine.commit.patch import Patch
from baton.store.redis.tree.attempt import Attempt, Transition
from baton.store.redis.tree.details import Details
from baton.store.redis.tree.snapshot import TreeSnapshot
from baton.store.redis.tree.transactions import Transactions
from baton.store.redis.tree.usual import UsualStep
from baton.store.redis.tree.writes import Kept
from baton_events.ids import root_of
from baton_events.sealing import Sealing

_NO_SEALING, _KEPT = Sealing({}), Kept(60_000, 10_000)
_UNREAD: Any = None  # the connection: what is known is not read again
_Made = tuple[tuple[list[str], list[str]], Committed, TreeSnapshot | None]


class Twins(Struct, frozen=True):
    """A usual step that is not sent, and what it was made of."""

    step: UsualStep
    snapshot: TreeSnapshot
    transition: Transition

    @classmethod
    def of(cls, snapshot: TreeSnapshot, transition: Transition, name: str) -> "Twins":
        """Make the step once more, of a snapshot with a memo of its own: it is not written."""
        known = {name: replace(each, memo=dict(each.memo)) for name, each in snapshot.transcripts.items()}
        apart, usual = replace(snapshot, transcripts=known), transition.usual
        twin = usual and usual(apart, lambda: name)
        assert twin, "it is made of the same tree"
        return cls(twin, apart, transition)

    def difference(self) -> str | None:
        """What the step has otherwise than any other way of it; all that it takes of its meter is given back."""
        request, answer, after = self._of_any_way()
        mine = self.step.request(_KEPT)
        self.step.bill.refund()
        if mine != request:
            return f"the request is {mine}, and not {request}"
        if self.step.committed() != answer:
            return f"the answer is {self.step.committed()}, and not {answer}"
        known = replace(self.step.after(), is_usual=False)
        return None if known == after else f"{_other(known, after)} is known, and not {_other(after, known)}"

    def _of_any_way(self) -> _Made:
        root = root_of(self.transition.job_id)
        attempt = Attempt(root, self.snapshot, [self.transition], {}, self.step.name, _NO_SEALING)
        known = attempt.transcripts()
        details = Details(attempt.answers, known, attempt.draft, attempt.texts, {}, named=True)
        patch = Patch(0)
        attempt.fill(patch, _KEPT)
        patch.read(details.reads)
        attempt.settle(patch, ())
        attempt.bill.refund()
        completing = details.complete(attempt.answers[0], [], _UNREAD, 0)
        try:
            completing.send(None)
        except StopIteration as completed:
            return patch.request(), completed.value, attempt.after(details.transcripts)
        raise AssertionError("it reads, and nothing is there to be read")


class TwinTransactions(Transactions):
    """Transitions of which each usual step is compared with its twin; `usual`: how many were."""

    def __init__(self, of: Transactions) -> None:
        self.__dict__.update(of.__dict__)
        self.usual = 0

    async def run(self, root_id: str, transition: Transition) -> Any:
        """Make a transition, and where it is made as a usual step, its twin with it."""
        return await super().run(root_id, compared(transition, self._compare))

    def _compare(self, _: UsualStep, twins: Twins) -> None:
        difference = twins.difference()
        assert difference is None, difference
        self.usual += 1


def compared(transition: Transition, compare: Callable[[UsualStep, Twins], None]) -> Transition:
    """Return the transition; `compare` is given each usual step that it is made as, with its twin."""
    usual = transition.usual

    def step(snapshot: TreeSnapshot, draw: Callable[[], str]) -> UsualStep | None:
        made = usual and usual(snapshot, draw)
        if made:
            compare(made, Twins.of(snapshot, transition, made.name))
        return made

    return replace(transition, usual=step if usual else None)


def _other(snapshot: TreeSnapshot | None, than: TreeSnapshot | None) -> dict[str, object]:
    if snapshot is None or than is None:
        return {"snapshot": snapshot}
    mine, others = ({**structs.asdict(each), **structs.asdict(each.tree)} for each in (snapshot, than))
    return {name: value for name, value in mine.items() if value != others[name] and name != "tree"}
