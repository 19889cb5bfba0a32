"""The bill of a request: usage spent before it, its own cost, and the counts beside it. Nothing else bills a tree.

A step says what it did in its job's usage: what it stored, and when. That makes it a paying step. It pays what its
invocation has spent so far, and the last one of a request pays for the request, too. The bill is added to the one field
that has the job's usage, and to the part that ends the event.

Invariant: usage is billed once. It is taken from the invocation's meter for one write, and given back once a read
shows that this was not written. A write with an unknown result counts as done: rather too little than twice. Must not:
affect what is decided.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from baton.engine.commit.answers import Committed
from baton.engine.commit.patch import Patch
from baton.engine.commit.tree import Tree
from baton.engine.commit.usage_ledger import NOTHING, Spent, event_end, ledger_text, less, more, with_used
from baton.engine.state import NOTHING_USED, Usage
from baton.store.redis.totals import Counts
from baton.store.transport.meter import Meter, charge
from baton.store.transport.redis_rest import Command, answer_bytes, command_bytes

Ledgers = Mapping[str, tuple[str, Usage]]  # by job: the field for its usage, and what the steps have added there


class _Paying(Struct, frozen=True):
    """A paying step: its job and meter, what it did itself, and the part that ends its event, if there is one."""

    job_id: str
    meter: Meter | None
    used: Usage
    part: str


class Bill:
    """The bill of one request."""

    def __init__(self) -> None:
        self._steps: list[_Paying] = []
        self._taken: list[Spent] = []
        self._written: dict[str, str] = {}
        self._size_bytes = 0

    def add(self, job_id: str, meter: Meter | None, before: Tree, after: Tree) -> None:
        """Note a step; where it wrote its job's usage, it pays."""
        was, now = before.usage.get(job_id, NOTHING_USED), after.usage.get(job_id, NOTHING_USED)
        if now is not was:
            parts = after.parts.get(job_id, ())[len(before.parts.get(job_id, ())) :]
            self._steps.append(_Paying(job_id, meter, less(now, was), event_end(parts)))

    def settle(
        self, patch: Patch, beside: Sequence[Command], ledgers: Ledgers, state: dict[str, str]
    ) -> dict[str, Spent]:
        """Write the bill into the finished patch, and into the fields of the `state` that it writes.

        Returns what each job pays.
        """
        self._size_bytes = patch.size_bytes() + sum(map(command_bytes, beside))
        if not self._steps:
            return {}
        self._taken = [step.meter.take() if step.meter else NOTHING for step in self._steps]
        jobs = dict.fromkeys(step.job_id for step in self._steps)
        old = [state[ledgers[job_id][0]] for job_id in jobs] + [step.part for step in self._steps if step.part]
        new, base, size_bytes, owed = old, self._size_bytes - sum(map(len, old)), 0, dict[str, Spent]()
        while size_bytes < self._size_bytes:  # its own digits count, too
            size_bytes = self._size_bytes
            cost = Spent(requests=1, commands=patch.commands + len(beside), size_bytes=size_bytes)
            bills = list(zip(self._steps, [*self._taken[:-1], self._taken[-1] + cost], strict=True))
            owed = {job_id: sum((bill for step, bill in bills if step.job_id == job_id), NOTHING) for job_id in jobs}
            new = [ledger_text(job_id, *ledgers[job_id], owed[job_id]) for job_id in jobs]
            new += [with_used(step.part, more(step.used, bill)) for step, bill in bills if step.part]
            self._size_bytes = base + sum(map(len, new))
        for text, billed in zip(old, new, strict=True):
            patch.exchange(text, billed)
        self._written = {ledgers[job_id][0]: text for job_id, text in zip(jobs, new, strict=False)}
        state |= self._written
        return owed

    def sent(self, commands: int, found: Sequence[Any], *, written: bool) -> None:
        """Charge this invocation for what no ledger has: the answer, or where it was refused the whole request."""
        if written and self._steps:
            return charge(size_bytes=answer_bytes(found))
        return charge(requests=1, commands=commands, size_bytes=self._size_bytes + answer_bytes(found))

    def is_in(self, state: Mapping[str, str]) -> bool:
        """Return whether this newer state has a ledger as it was to be written. Others may have added to it since."""
        return any(state.get(field) == text for field, text in self._written.items())

    def refund(self) -> None:
        """Give back what was taken for a refused write, so that another one pays it."""
        for step, spent in zip(self._steps, self._taken, strict=False):
            if step.meter is not None:
                step.meter.refund(spent)
        self._taken = []


class HeldCounts:
    """Counts of invocations that go on. A later COMMIT of their process adds them up; a death loses them."""

    def __init__(self) -> None:
        self._held = Counter[tuple[str, str]]()

    def beside(self, answers: Iterable[Any], counts: Counts) -> Counts:
        """Return the counts that travel with these answers: all held ones, or none where every invocation goes on."""
        commits = [answer for answer in answers if isinstance(answer, Committed)]
        if not commits:
            return counts
        self._held.update(counts)
        if all(answer.claimed for answer in commits):
            return {}
        counts, self._held = self._held, Counter()
        return counts
