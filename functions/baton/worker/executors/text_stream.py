"""Streams a model's text to the job's stream while it is made, in batches by time and size.

Invariant: the streamed text is the answer's text without secrets, in order, each batch once. A batch that the store did
not answer is sent again as it was, before anything else. Text that was not streamed comes with the turn's COMMIT at the
latest (`baton.engine.turn`), so nothing here is ever raised. Must not: keep the model waiting for a slow store.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from baton.engine import stream_parts
from baton.engine.commit.answers import Claim
from baton.engine.commit.stored_bytes import bytes_of
from baton.engine.effects import CallModel
from baton.engine.step_results import StreamedText
from baton.observability.tracing import first_chunk
from baton.sdk.records.redaction import KnownSecrets
from baton.store.redis.store import Store
from baton.store.transport.meter import write
from baton_events.errors import NewerVersionError, StoreError
from baton_events.values.text import Joiner

_log = logging.getLogger("baton.models")

# The time of the model's own call goes by meanwhile.
_ANSWER_SECONDS = 2.0
_MOST_FAILURES = 3

_Append = Callable[[int, Sequence[str], str], Awaitable[bool]]


class Batching(Struct, frozen=True):
    """The times at which text is appended: after `ms`, or `size_bytes` of it; 0 bytes: not before the turn is over."""

    ms: int
    size_bytes: int


class _Batch(Struct, frozen=True):
    text_id: str
    text: str
    parts: tuple[str, ...]


class TextStream:
    """`Listener` of one attempt of a turn."""

    def __init__(self, append: _Append, turn: int, text_id: str, secrets: KnownSecrets, batching: Batching) -> None:
        self._append, self._text_id, self._secrets, self._batching = append, text_id, secrets, batching
        self._opening = stream_parts.step_start(turn)
        self._number = 1
        self._held = self._waiting = self._sent = ""
        self._joiner = Joiner()
        self._begun = self._silent = False
        self._unanswered: _Batch | None = None
        self._appended = self._failures = 0
        self._sent_at: float | None = None

    async def write(self, text: str) -> None:
        """Append the text soon, if the work item is still held."""
        first_chunk()
        if self._silent:
            return
        shown, self._held = self._secrets.hide_so_far(self._held + self._joiner.next(text))
        self._waiting += shown
        if self._waiting and self._is_due():
            await self._send()

    async def withdrawn(self) -> None:
        """Close the text so far as abandoned, before another model writes it from its beginning."""
        self._held = self._waiting = self._sent = ""
        self._joiner = Joiner()
        if self._begun:
            # Its step ends with it, and the next text begins another one.
            self._opening = (*stream_parts.abandoned(self._open_id()), *stream_parts.step_start(1))
            self._number += 1
            self._begun = False

    async def streamed_text(self) -> StreamedText | None:
        """Return the open text in the stream; None: none that is known to be there."""
        if self._unanswered is not None and not self._silent:
            await self._send()
        return StreamedText(self._open_id(), self._appended, self._sent) if self._sent else None

    def _open_id(self) -> str:
        return f"{self._text_id}.{self._number}"

    def _is_due(self) -> bool:
        if self._sent_at is None:
            return True
        waited_ms = (asyncio.get_running_loop().time() - self._sent_at) * 1000
        return waited_ms >= self._batching.ms or len(self._waiting.encode()) >= self._batching.size_bytes

    async def _send(self) -> None:
        batch = self._unanswered = self._unanswered or self._next()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                held = await self._append(self._appended + 1, batch.parts, batch.text_id)
        except (NewerVersionError, StoreError, TimeoutError) as error:
            self._failures += 1
            self._silent = self._failures >= _MOST_FAILURES
            _log.warning("a model's text comes later: %s", error)
            return
        finally:
            self._sent_at = asyncio.get_running_loop().time()
        self._unanswered = None
        self._silent = not held
        if held:
            self._appended += 1
            self._sent += batch.text if batch.text_id == self._open_id() else ""

    def _next(self) -> _Batch:
        text_id, text = self._open_id(), self._waiting
        begin = () if self._begun else (*self._opening, stream_parts.text_start(text_id))
        self._waiting, self._begun = "", True
        return _Batch(text_id, text, (*begin, stream_parts.text_delta(text_id, text)))


class TextStreams:
    """Makes the text stream of each attempt."""

    def __init__(self, store: Store, secrets: KnownSecrets, batching: Batching) -> None:
        self._store, self._secrets, self._batching = store, secrets, batching

    def of(self, effect: CallModel, claim: Claim) -> TextStream | None:
        """Return the text stream of this attempt; None: its text comes with the turn's COMMIT."""
        if not self._batching.size_bytes:
            return None

        async def append(sequence: int, more: Sequence[str], text_id: str) -> bool:
            appended = await self._store.append(claim, sequence, more, text_id)
            if appended:
                write(bytes_of(more))
            return appended

        text_id = stream_parts.text_id(effect.turn, effect.attempt, claim.owner)
        return TextStream(append, effect.turn, text_id, self._secrets, self._batching)
