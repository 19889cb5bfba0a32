"""The bill of a request: usage spent before it, its own cost, and the counts beside it. Nothing else bills a tree.

A step says what it did in its job's usage: what it stored, and when. That makes it a paying step. It pays what its
invocation has spent so far, and the last one of a request pays for the request, too. The bill is added to the one field
that has the job's usage, and to the part that ends the event.

Invariant: usage is billed once. It is taken from the invocation's meter for one write, and given back once a read
shows that this was not written. A write with an unknown result counts as done: rather too little than twice. Must not:
affect what is decided.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from baton.engine.commit.answers import Committed
from baton.engine.commit.patch import Patch
from baton.engine.commit.usage_ledger import NOTHING, Spent, event_end, ledger_text, less, more, with_used
from baton.engine.state import Usage
from baton.store.redis.totals import Counts
from baton.store.transport.meter import Meter, charge
from baton.store.transport.redis_rest import Command, answer_bytes, command_bytes

# Stands for the size of a request until the texts that tell it are written: no sum of bytes has as many digits.
_UNKNOWN, _DIGITS = 10**15, 16
_Sized = tuple[str, int]  # a text that tells of usage, and the bytes in it
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

    def add(self, job_id: str, meter: Meter | None, was: Usage, now: Usage, parts: Sequence[str]) -> None:
        """Note a step with the new parts of its stream; where it wrote its job's usage, it pays."""
        if now is not was:
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
        cost = Spent(requests=1, commands=patch.commands + len(beside), size_bytes=_UNKNOWN)
        bills = list(zip(self._steps, [*self._taken[:-1], self._taken[-1] + cost], strict=True))
        owed = dict[str, Spent]()
        for step, bill in bills:
            owed[step.job_id] = owed[step.job_id] + bill if step.job_id in owed else bill
        old = [state[ledgers[job_id][0]] for job_id in owed] + [step.part for step in self._steps if step.part]
        sized = list[_Sized]()
        for job_id, spent in owed.items():
            used = more(ledgers[job_id][1], spent)
            sized.append((ledger_text(job_id, ledgers[job_id][0], used), used.redis_bytes))
        for step, bill in bills:
            if step.part:
                used = more(step.used, bill)
                sized.append((with_used(step.part, used), used.redis_bytes))
        self._size_bytes = _size_with(self._size_bytes - sum(map(len, old)), sized)
        new = [_with_size(each, self._size_bytes) for each in sized]
        for text, billed in zip(old, new, strict=True):
            patch.exchange(text, billed)
        self._written = {ledgers[job_id][0]: text for job_id, text in zip(owed, new, strict=False)}
        state |= self._written
        payer, own_bytes = self._steps[-1].job_id, self._size_bytes - _UNKNOWN
        return {**owed, payer: owed[payer] + Spent(size_bytes=own_bytes)}

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


def _size_with(other_bytes: int, sized: Sequence[_Sized]) -> int:
    """Return the size of a request with these texts: the digits that tell it count, too."""
    sums = [used_bytes - _UNKNOWN for _, used_bytes in sized if used_bytes >= _UNKNOWN]
    fixed = other_bytes + sum([len(text) for text, _ in sized]) - _DIGITS * len(sums)
    size_bytes = fixed
    while size_bytes != (larger := fixed + sum([len(str(each + size_bytes)) for each in sums])):
        size_bytes = larger
    return size_bytes


def _with_size(sized: _Sized, size_bytes: int) -> str:
    """Return the text once the size is known: it stands where the last number of its digits does."""
    text, used_bytes = sized
    if used_bytes < _UNKNOWN:
        return text
    before, _, after = text.rpartition(str(used_bytes))
    return f"{before}{used_bytes - _UNKNOWN + size_bytes}{after}"


class HeldCounts:
    """Counts of invocations that go on. A later COMMIT of their process adds them up; a death loses them."""

    def __init__(self) -> None:
        self._held = list[Counts]()

    def beside(self, answers: Iterable[Any], counts: Sequence[Counts]) -> Sequence[Counts]:
        """Return the counts that travel with these answers: all held ones, or none where every invocation goes on."""
        commits = [answer for answer in answers if isinstance(answer, Committed)]
        if not commits:
            return counts
        self._held += counts
        if all(answer.claimed for answer in commits):
            return ()
        counts, self._held = self._held, []
        return counts
