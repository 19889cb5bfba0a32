"""The digests of conversations that grow from turn to turn: what was digested before is compared, and not read anew.

Invariant: a digest is that of the whole conversation, whatever is known of the turn before; numbers that are equal are
the same. All that is known may be dropped at any time.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from baton.models.model import Message
from baton_events.ids import canonical_json

if TYPE_CHECKING:
    from hashlib import _Hash

# As JSON, of all jobs together.
LIMIT_BYTES = 8_000_000

# What messages are as JSON; calls are numbered in the order of their coming, on from those that have a number.
Telling = Callable[[Sequence[Message], dict[str, int]], list[Any]]


class _Said(Struct):
    """What was digested in a job's last turn. `hashed`: the JSON text of `[messages]`, but for its ends' brackets."""

    messages: tuple[Message, ...] = ()
    numbers: dict[str, int] = field(default_factory=dict[str, int])
    hashed: "_Hash" = field(default_factory=lambda: hashlib.sha256(b"[["))
    size_bytes: int = 0

    def begins(self, messages: tuple[Message, ...]) -> bool:
        """Whether that is how these begin."""
        return self.messages == messages[: len(self.messages)]

    def go_on(self, messages: tuple[Message, ...], telling: Telling) -> None:
        """Digest what has come since."""
        told = telling(messages[len(self.messages) :], self.numbers)
        text = ",".join([canonical_json(each) for each in told]).encode("utf-8", "surrogatepass")
        self.hashed.update(b"," + text if self.messages and text else text)
        self.messages, self.size_bytes = messages, self.size_bytes + len(text)

    def digest(self) -> str:
        """That of all of them, as `baton_events.ids.digest` has it."""
        whole = self.hashed.copy()
        whole.update(b"]]")
        return whole.hexdigest()


class ToldDigests:
    """Those of the jobs that were last at work, within a limit."""

    def __init__(self, telling: Telling, limit_bytes: int = LIMIT_BYTES) -> None:
        self._telling = telling
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._jobs: dict[str, _Said] = {}  # the longest unused first

    def of(self, job_id: str, messages: tuple[Message, ...]) -> str:
        """The digest of what a job's model was told.

        Raises:
            ValueError, TypeError: a part of it is no JSON.
        """
        said = self._jobs.pop(job_id, None)
        self._size_bytes -= said.size_bytes if said else 0
        if said is None or not said.begins(messages):
            said = _Said()
        said.go_on(messages, self._telling)
        if said.size_bytes <= self._limit_bytes:  # else the others would have to go for it
            self._jobs[job_id] = said
            self._size_bytes += said.size_bytes
        while self._size_bytes > self._limit_bytes:
            self._size_bytes -= self._jobs.pop(next(iter(self._jobs))).size_bytes
        return said.digest()
