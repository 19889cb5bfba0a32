"""The bytes that a tenant has stored, for its quota. Pure.

A job's usage ledger counts what is written for it (`Usage.written`): task, transcript, results, stream, its calls and
its record. Overwritten data counts each time; the state of a running job does not count. A tenant has a sum for each
expiry time of its bytes. A job's bytes move from the sum of its submission's time to that of its end, or of its retry.
So no sum has to be reset: it is over when the data is.
"""

import json
from collections.abc import Iterable, Mapping

from msgspec import Struct

from baton.engine.commit.answers import Signal
from baton.engine.commit.codec import dump
from baton.engine.effects import Changes
from baton.engine.state import Job, Usage
from baton.engine.transitions import CallStatus
from baton.engine.work_items import ItemKind

# About how many sums a tenant has at once: bytes stay for the retention, and up to a part of it longer.
PARTS = 24
# A file and an event are kept for this long at least. The hourly sweep prolongs a file while its job waits, and may be
# away for a day; an event waits for its batch, or for a newer one of its key, for up to seven days.
LEAST_FILE_MS, LEAST_EVENT_MS = 2 * 86_400_000, 8 * 86_400_000
_SHORTEST_MS = 60_000
_WAIT = f"{ItemKind.WAIT}:"
_NEW = frozenset({CallStatus.QUEUED, CallStatus.WAITING})

Sums = Mapping[int, int]


class BytesAdded(Struct, frozen=True):
    """Changes of a tenant's sums: expiry (ms) → additional bytes. `kept_ms`: how long all of them are kept."""

    adds: dict[int, int]
    kept_ms: int


def written_bytes(changes: Changes, item_key: str = "") -> int:
    """Return the bytes that a write adds to the job's stored data. `item_key`: of the work item that it commits."""
    texts = [*changes.transcript, *changes.parts, *(changes.text_stream.rest if changes.text_stream else ())]
    if not item_key.startswith(_WAIT):  # else the signal that ended the wait has written them
        texts += changes.results.values()
    for skip in changes.skips:
        texts += (skip.result, *skip.parts)
    for call in changes.calls:
        if call.status in _NEW and not call.attempts:  # as it is made: later records replace it
            texts.append(dump(call))
    if changes.report:
        texts.append(changes.report.outcome)
    if changes.job and (changes.ends or changes.slot_state):
        texts.append(dump(changes.job))
    size = bytes_of(texts) + changes.apart_bytes
    return size + (written_bytes(changes.child) if changes.child else 0)


def bytes_of(texts: Iterable[str]) -> int:
    """Return the size of these texts, in bytes."""
    text = "".join(texts)
    return len(text) if text.isascii() else len(text.encode())


def signal_bytes(signal: Signal) -> int:
    """Return the bytes of a signal. An event counts twice, as its wait copies it; so does a message, as it is shown."""
    size = bytes_of((signal.message or signal.outcome,)) * (2 if signal.event or signal.message else 1)
    return size + apart_bytes(signal.outcome)


def apart_bytes(outcome: str) -> int:
    """Return the size of the object that the JSON text of an outcome names; 0: it names none."""
    named = json.loads(outcome) if '"apart":true' in outcome else {}
    return int(named["ok"]["bytes"]) if "apart" in named else 0


class Keeping:
    """The moves of jobs' bytes between their tenant's sums. `retention_ms`: how long ended jobs are kept."""

    def __init__(self, retention_ms: int) -> None:
        self._retention_ms = retention_ms
        self._part_ms = max(_SHORTEST_MS, retention_ms // PARTS)

    def submitted(self, job: Job, size: int) -> BytesAdded:
        """Return the change of a job that is submitted with this many bytes."""
        return self.moved([(_since_ms(job), size)])

    def ended(self, job: Job, usage: Usage) -> BytesAdded:
        """Return the change of a job that ended: its ledger's bytes replace those counted so far."""
        return self.moved([(_since_ms(job), -usage.counted), (job.finished_at_ms or 0, usage.written)])

    def retried(self, ended: tuple[int, int], again: Job) -> BytesAdded:
        """Return the change of an ended job that runs again. `ended`: the time, and its usage ledger's bytes."""
        ended_ms, size = ended
        return self.moved([(ended_ms, -size), (_since_ms(again), size)])

    def removed(self, ended: Iterable[tuple[int, int]]) -> BytesAdded:
        """Return the change of ended jobs that are deleted: the time of each end, and its usage ledger's bytes."""
        return self.moved([(ended_ms, -size) for ended_ms, size in ended])

    def until_ms(self, at_ms: int) -> int:
        """Return the time until which data kept from `at_ms` on counts: never before the data is gone."""
        return -(-(at_ms + self._retention_ms) // self._part_ms) * self._part_ms

    def moved(self, moved: Iterable[tuple[int, int]]) -> BytesAdded:
        """Return the change of bytes that are kept from these times on; fewer than none are taken out."""
        adds: dict[int, int] = {}
        for at_ms, size in moved:
            until_ms = self.until_ms(at_ms)
            adds[until_ms] = adds.get(until_ms, 0) + size
        kept_ms = max(self._retention_ms, LEAST_EVENT_MS) + 2 * self._part_ms  # all sums are of one key
        return BytesAdded({at: size for at, size in adds.items() if size}, kept_ms)


def kept_bytes(sums: Sums, now_ms: int) -> int:
    """Return the bytes that a tenant has stored. A sum below zero takes nothing off the others."""
    return sum(max(0, size) for until_ms, size in sums.items() if until_ms > now_ms)


def below_at_ms(sums: Sums, now_ms: int, limit: int) -> int:
    """Return the time at which a tenant falls below its limit by waiting alone."""
    return next(
        (until_ms for until_ms in sorted(sums) if until_ms > now_ms and kept_bytes(sums, until_ms) < limit), now_ms
    )


def _since_ms(job: Job) -> int:
    return job.counted_from_ms or job.created_at_ms
