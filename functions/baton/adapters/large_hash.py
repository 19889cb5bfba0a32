"""Reads a hash that may be more than what the store answers at once: names, their sizes, then piece by piece."""

from collections.abc import Iterable, Iterator

from baton.adapters.redis import RedisConnection

PIECE_BYTES = 4_000_000
_NAMES = 500


async def in_pieces(redis: RedisConnection, key: str) -> dict[str, str]:
    """All fields of a hash, without those that go meanwhile.

    Raises:
        StoreError: the store did not answer.
    """
    names, sizes = list[str](await redis.execute("HKEYS", key)), list[int]()
    for first in range(0, len(names), _NAMES):
        asked = names[first : first + _NAMES]
        sizes += await redis.pipeline(*(["HSTRLEN", key, name] for name in asked))
    found: dict[str, str] = {}
    for piece in pieces(zip(names, sizes, strict=True)):
        values = await redis.execute("HMGET", key, *piece)
        found |= {name: value for name, value in zip(piece, values, strict=True) if value is not None}
    return found


def pieces(sized: Iterable[tuple[str, int]], most_bytes: int = PIECE_BYTES) -> Iterator[list[str]]:
    """Names in their order, in lists that are together no more than so much; what is more by itself comes alone."""
    piece, left = list[str](), most_bytes
    for name, size in sized:
        if piece and size > left:
            yield piece
            piece, left = [], most_bytes
        piece.append(name)
        left -= size
    if piece:
        yield piece
