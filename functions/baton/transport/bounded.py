"""The bodies of other people's answers, counted and unpacked while they arrive: for clients of httpx and of httpx2.

Invariant: a body never takes more memory than its limit, packed or unpacked; a few kilobytes of gzip may hold
gigabytes, and both libraries unpack a whole chunk at once. Must not: decide what follows from a body that is too large.
"""

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

# Larger than any result and any file of the default settings in Base64.
ANSWER_LIMIT_BYTES = 16_000_000
# What a client may ask for: all that is unpacked here.
ACCEPTED = "gzip, deflate"
_PLAIN, _PACKED = ("", "identity"), ("gzip", "x-gzip", "deflate")
_ANY_HEADER, _PIECE_BYTES = 32 + zlib.MAX_WBITS, 65_536


def bound(library: Any, response: Any, limit_bytes: int, too_large: Exception) -> None:
    """Bound the body of an answer that is not read yet; its reader gets `too_large` where it is larger.

    Args:
        library: `httpx` or `httpx2`, which the answer is of.
        response: the answer.
        limit_bytes: of its body, unpacked.
        too_large: raised; also for a coding that was not asked for.
    """
    coding = response.headers.get("content-encoding", "").strip().lower()
    packed = coding in _PACKED

    class Counted(library.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            unpack, left = _unpacker() if packed else _as_it_is, limit_bytes if packed or coding in _PLAIN else -1
            async for chunk in self._stream:
                for piece in unpack(chunk):
                    left -= len(piece)
                    if left < 0:
                        raise too_large
                    yield piece

        async def aclose(self) -> None:
            await self._stream.aclose()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._stream, name)

    response.stream = Counted(response.stream)
    if packed:
        for name in ("content-encoding", "content-length"):
            response.headers.pop(name, None)


def _as_it_is(chunk: bytes) -> Iterator[bytes]:
    yield chunk


def _unpacker() -> Any:
    unpacker = zlib.decompressobj(_ANY_HEADER)

    def unpack(chunk: bytes) -> Iterator[bytes]:
        while chunk:
            yield unpacker.decompress(chunk, _PIECE_BYTES)
            chunk = unpacker.unconsumed_tail

    return unpack
