"""The bodies of other people's answers, counted and unpacked while they arrive: for clients of httpx and of httpx2.

Invariant: a body never takes more memory than its limit, packed or unpacked; a few kilobytes of gzip may hold
gigabytes, and both libraries unpack a whole chunk at once. No reader decodes it by an encoding of names. A stream of
events may go on, but each event has the limit. Must not: decide what follows from a body that is too large.
"""

import codecs
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

# Larger than any result and any file of the default settings in Base64.
HTTP_LIMIT_BYTES = 16_000_000
# Of the store, the queue and the index: more than a page of the largest jobs.
OWN_LIMIT_BYTES = 64_000_000
# What a client may ask for. Not deflate: some send it with the head that is unpacked here, others without.
ACCEPTED = "gzip"
# Encodings of host names: the time of a text is the square of its length, which is minutes for a megabyte.
_OF_NAMES = ("idna", "punycode")
_PLAIN, _PACKED = ("", "identity"), ("gzip", "x-gzip", "deflate")
_ANY_HEADER, PIECE_BYTES = 32 + zlib.MAX_WBITS, 65_536
_MEMBER = b"\x1f"
_EVENT_ENDS, _LONGEST_END = (b"\n\n", b"\r\n\r\n", b"\r\r"), 4


class TooLargeError(Exception):
    """An answer is over its limit; the error of a client's library is one, too."""


class Body:
    """One body, given piece by piece. `limit_bytes`: unpacked; of each event, where it is a stream of events.

    A gzip body may have several members. `is_whole`: a packed one has come to an end.
    """

    def __init__(self, coding: str, limit_bytes: int, too_large: Callable[[], Exception], *, events: bool) -> None:
        coding = coding.strip().lower()
        self.is_packed = coding in _PACKED
        self._unpacker = zlib.decompressobj(_ANY_HEADER) if self.is_packed else None
        self.is_whole = not self.is_packed
        self._limit = limit_bytes if self.is_packed or coding in _PLAIN else -1
        self._too_large, self._events = too_large, events
        self._size, self._tail = 0, b""
        self._begun: bytes | None = b"" if events else None

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what the chunk holds. Raises zlib.error: it is not what its coding says."""
        for piece in map(self._unmarked, self._unpacked(chunk)):
            self._size += len(piece)
            if self._size > self._limit:
                raise self._too_large()
            if self._events:
                self._size = min(self._size, self._since_the_last_end(piece))
            yield piece

    def _unmarked(self, piece: bytes) -> bytes:
        """Drop the byte order mark before a stream of events, by its standard: no reader knows it, but as a name."""
        if self._begun is None:
            return piece
        self._begun += piece
        if self._begun != codecs.BOM_UTF8 and codecs.BOM_UTF8.startswith(self._begun):
            return b""  # it may go on in the next piece
        begun, self._begun = self._begun, None
        return begun.removeprefix(codecs.BOM_UTF8)

    def _unpacked(self, chunk: bytes) -> Iterator[bytes]:
        if self._unpacker is None:
            yield chunk
            return
        while chunk:
            if self._unpacker.eof:
                if not chunk.startswith(_MEMBER):
                    return  # padding
                self._unpacker = zlib.decompressobj(_ANY_HEADER)
            yield self._unpacker.decompress(chunk, PIECE_BYTES)
            chunk = self._unpacker.unconsumed_tail or self._unpacker.unused_data
            self.is_whole = self._unpacker.eof

    def _since_the_last_end(self, piece: bytes) -> int:
        seen = self._tail + piece
        self._tail = seen[1 - _LONGEST_END :]
        found = max(seen.rfind(end) for end in _EVENT_ENDS)
        return len(seen) - found if found >= 0 else self._size


def too_large_message(limit_bytes: int) -> str:
    """Return what is said of an answer over the limit."""
    return f"the answer has more than {limit_bytes} bytes, or an unknown encoding"


def charset_of(response: Any) -> str | None:
    """Return the encoding of text that an answer names; None: none that may be used."""
    named: str | None = response.charset_encoding
    try:
        return None if named is None or codecs.lookup(named).name in _OF_NAMES else named
    except (LookupError, ValueError):
        return None


def bound(library: Any, response: Any, limit_bytes: int, too_large: Callable[[], Exception]) -> None:
    """Bound the body of an answer that is not read yet; its reader gets `too_large` where it is larger.

    `library`: `httpx` or `httpx2`, which the answer is of. `response`: the answer. `limit_bytes`: of its body,
    unpacked; of each event of a stream of events. `too_large`: makes the error; also for a coding that was not asked
    for.
    """
    kind = response.headers.get("content-type", "")
    if response.charset_encoding is not None and charset_of(response) is None:
        response.headers["content-type"] = kind.partition(";")[0]
    is_stream = kind.strip().lower().startswith("text/event-stream")
    body = Body(response.headers.get("content-encoding", ""), limit_bytes, too_large, events=is_stream)

    class Counted(library.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any) -> None:
            self._stream, self.aclose = stream, stream.aclose

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for chunk in self._stream:
                    for piece in body.pieces(chunk):
                        yield piece
            except zlib.error as error:
                raise library.DecodingError(f"the answer's encoding is damaged: {error}") from error

        def __getattr__(self, name: str) -> Any:
            return getattr(self._stream, name)

    response.stream = Counted(response.stream)
    if body.is_packed:
        for name in ("content-encoding", "content-length"):
            response.headers.pop(name, None)
