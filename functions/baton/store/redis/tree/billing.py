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
from msgspec.structs import replace

from baton.engine.commit.answers import Committed
from baton.engine.commit.codec import encode
from baton.engine.commit.patch import Patch
from baton.engine.commit.usage_ledger import NOTHING, Metered, event_end, ledger_text, less, more, with_used
from baton.engine.state import Usage
from baton.store.redis.totals import Counts
from baton.store.transport.meter import Meter, charge
from baton.store.transport.redis_rest import Command, answer_bytes, command_bytes

# Stands for the size of a request until the texts that tell it are written: no sum of bytes has as many digits.
_UNKNOWN, _DIGITS = 10**15, 16
# What the request of a usual step costs: a request, and commands: its script compares once and writes three times.
_ONE_STEP = 1, 5, _UNKNOWN
# A field of the state, or none; a text that is written, another one that tells of usage, and the bytes in that.
_Billed = tuple[str, str, str, int]
# By job: a field for what the steps of a request add to its usage, and the usage before them.
Apart = Mapping[str, tuple[str, Usage | None]]


class _Paying(Struct, frozen=True):
    """A paying step: its job and meter, the usage before and after it, and the part that ends its event, if any."""

    job_id: str
    meter: Meter | None
    was: Usage
    now: Usage
    part: str


class Bill:
    """The bill of one request; `name`: of the request, which no text of a user has."""

    def __init__(self, name: str) -> None:
        self.places: dict[str, str] = {}  # of ledgers that are billed, each with a text of its own until then
        self._name = name
        self._steps: list[_Paying] = []
        self._taken: list[Metered] = []
        self._size_bytes = 0

    def add(self, job_id: str, meter: Meter | None, was: Usage, now: Usage, parts: Sequence[str]) -> None:
        """Note a step with the new parts of its stream; where it wrote its job's usage, it pays."""
        if now is not was:
            self.places[f"usage:{job_id}"] = f"{self._name} {len(self._steps)}"
            self._steps.append(_Paying(job_id, meter, was, now, event_end(parts)))

    def settle(
        self, patch: Patch, beside: Sequence[Command], usage: Mapping[str, Usage], apart: Apart, state: dict[str, str]
    ) -> dict[str, Usage]:
        """Write the bill into the finished patch, and into the fields of the `state` that it writes.

        Returns the usage of each paying job.
        """
        self._size_bytes = patch.size_bytes() + sum([command_bytes(each) for each in beside])
        if not self._steps:
            return {}
        self._taken = [step.meter.take() if step.meter else NOTHING for step in self._steps]
        cost = Metered(requests=1, commands=patch.commands + len(beside), size_bytes=_UNKNOWN)
        owed: dict[str, Metered] = {}
        billed: list[_Billed] = []
        for step, bill in zip(self._steps, [*self._taken[:-1], self._taken[-1] + cost], strict=True):
            owed[step.job_id] = owed[step.job_id] + bill if step.job_id in owed else bill
            if step.part:
                used = more(step.now, bill)
                text = with_used(step.part, used, step.was)
                billed.append(("", step.part, text, used.redis_bytes - step.was.redis_bytes))
        paid = {job_id: more(usage[job_id], spent) for job_id, spent in owed.items()}
        for job_id, used in paid.items():
            field, was = apart.get(job_id, (f"usage:{job_id}", None))
            added = used if was is None else less(used, was)
            billed.append((field, state[field], ledger_text(job_id, field, added), added.redis_bytes))
        self._size_bytes = _size_with(self._size_bytes, billed)
        for field, old, text, used_bytes in billed:
            new = _with_size(text, used_bytes, self._size_bytes)
            patch.exchange(old, new)
            if field:
                state[field] = new
        payer = self._steps[-1].job_id
        known_bytes = paid[payer].redis_bytes - _UNKNOWN + self._size_bytes
        return {**paid, payer: replace(paid[payer], redis_bytes=known_bytes)}

    def alone(
        self, job_id: str, meter: Meter | None, was: Usage, used: Usage, parts: Sequence[str], text: str
    ) -> tuple[Usage, str, str, str]:
        """Bill the only step of a request, a usual one; `used`: before that; `text`: all of it but the ledger.

        Returns the usage, the ledger's text, and the part that ends the event: as it is in the text, and billed.
        """
        taken, part = meter.take() if meter else NOTHING, event_end(parts)
        self._steps, self._taken = [_Paying(job_id, meter, was, used, part)], [taken]
        paid = more(used, taken, *_ONE_STEP)
        ledger, total, shown = encode(paid).decode(), paid.redis_bytes, ""
        added_bytes = total - was.redis_bytes
        size_bytes = len(text if text.isascii() else text.encode()) + len(ledger) - _DIGITS
        if part:
            shown = with_used(part, paid, was)
            size_bytes += len(shown) - len(part) - _DIGITS
        own_bytes, other_bytes, whole = total - _UNKNOWN, added_bytes - _UNKNOWN, size_bytes
        # The digits that tell it count, too.
        while whole != (larger := size_bytes + len(f"{own_bytes + whole}{other_bytes + whole if part else ''}")):
            whole = larger
        self._size_bytes, known_bytes = whole, own_bytes + whole
        if part:
            before, _, after = shown.rpartition(f"{added_bytes}")
            shown = f"{before}{other_bytes + whole}{after}"
        return replace(paid, redis_bytes=known_bytes), ledger.replace(f":{total}", f":{known_bytes}"), part, shown

    def sent(self, commands: int, found: Sequence[Any], *, written: bool) -> None:
        """Charge this invocation for what no ledger has: the answer, or where it was refused the whole request."""
        if not (written and self._steps):
            charge(requests=1, commands=commands, size_bytes=self._size_bytes + answer_bytes(found))
        elif found:
            charge(size_bytes=answer_bytes(found))

    def refund(self) -> None:
        """Give back what was taken for a refused write, so that another one pays it."""
        for step, spent in zip(self._steps, self._taken, strict=False):
            if step.meter is not None:
                step.meter.refund(spent)
        self._taken = []


def _size_with(size_bytes: int, billed: Sequence[_Billed]) -> int:
    """Return the size of a request with the new texts: the digits that tell it count, too."""
    size_bytes += sum([len(text) - len(old) for _, old, text, _ in billed])
    sums = [used_bytes - _UNKNOWN for *_, used_bytes in billed if used_bytes >= _UNKNOWN]
    whole = size_bytes - _DIGITS * len(sums)
    known_bytes = whole
    while whole != (larger := known_bytes + len("".join([f"{each + whole}" for each in sums]))):
        whole = larger
    return whole


def _with_size(text: str, used_bytes: int, size_bytes: int) -> str:
    """Return the text once the size is known: it stands where the last number of its digits does."""
    if used_bytes < _UNKNOWN:
        return text
    before, _, after = text.rpartition(f"{used_bytes}")
    return f"{before}{used_bytes - _UNKNOWN + size_bytes}{after}"


class HeldCounts:
    """Counts of invocations that go on: `held`, of all adapters over a connection.

    A later COMMIT of their process adds them up, or the admission with an end; a death loses them.
    """

    def __init__(self, held: list[Counts]) -> None:
        self._held = held

    def beside(self, answers: Iterable[Any], counts: Sequence[Counts]) -> Sequence[Counts]:
        """Return the counts that travel with these answers: all held ones, or none where an invocation goes on."""
        claims = [answer.claimed for answer in answers if isinstance(answer, Committed)]
        if not claims:
            return counts
        self.keep(counts)
        if any(claims):
            return ()
        counts = self._held[:]
        self._held.clear()
        return counts

    def keep(self, counts: Sequence[Counts]) -> None:
        """Keep the counts of an invocation that goes on."""
        self._held += counts
