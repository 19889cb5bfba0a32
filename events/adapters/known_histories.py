"""Histories that this process knows, with their tags: the store tells a turn no more than that its tag is still so.

Invariant: a history is used only where the store's tag is its own, and tags follow from what was written (state.lua),
so what is used is what is stored, whoever wrote it, and also after a failover. All of it may be dropped at any time.
Must not: keep values, which who is told them might change; texts are read anew for each turn.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field

TAG_CHARS = 20
# Of all texts that are kept: those of a few thousand turns.
LIMIT_CHARS = 16_000_000


class KnownHistory(Struct, frozen=True):
    """What was said in a job, and what its calls came to, as the store has it."""

    tag: str
    transcript: tuple[str, ...] = ()
    results: Mapping[str, str] = field(default_factory=dict[str, str])
    size_chars: int = 0

    def with_more(self, results: Mapping[str, str], entries: Sequence[str]) -> "KnownHistory":
        """The same, once a COMMIT has written this."""
        if not results and not entries:
            return self
        more = [text for result in results.items() for text in result]
        text = "\n".join((self.tag, "\n".join(more), "", "\n".join(entries)))
        tag = hashlib.sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()[:TAG_CHARS]
        return KnownHistory(tag, (*self.transcript, *entries), {**self.results, **results}, self.size_chars + len(text))


def as_told(tag: str, transcript: Iterable[str], results: Sequence[str]) -> KnownHistory:
    """A history as the scripts tell it."""
    entries, by_id = tuple(transcript), dict(zip(results[::2], results[1::2], strict=True))
    return KnownHistory(tag, entries, by_id, sum(map(len, entries)) + sum(map(len, results)))


class KnownHistories:
    """Those of the jobs that were last at work, within a limit."""

    def __init__(self, limit_chars: int = LIMIT_CHARS) -> None:
        self._limit_chars = limit_chars
        self._size_chars = 0
        self._jobs: dict[str, KnownHistory] = {}  # the longest unused first

    def of(self, job_id: str) -> KnownHistory | None:
        """The job's history, if it is known."""
        return self._jobs.get(job_id)

    def with_more(self, job_id: str, results: Mapping[str, str], entries: Sequence[str]) -> KnownHistory | None:
        """The job's history once a COMMIT has written this, if it is known: kept, since that is under way."""
        history = self._jobs.get(job_id)
        if history is None:
            return None
        history = history.with_more(results, entries)
        self.keep(job_id, history)
        return history

    def keep(self, job_id: str, history: KnownHistory) -> None:
        """It is what the store has now, or will have with what is under way."""
        self.forget(job_id)
        if history.size_chars > self._limit_chars:
            return
        self._jobs[job_id] = history
        self._size_chars += history.size_chars
        while self._size_chars > self._limit_chars:
            self.forget(next(iter(self._jobs)))

    def forget(self, job_id: str) -> None:
        """The job has ended, or something else than what was under way was written."""
        if (history := self._jobs.pop(job_id, None)) is not None:
            self._size_chars -= history.size_chars
