"""The form of a sealed object: a head, then frames of 1 MB, each sealed by itself.

The head says how long a whole frame is, so a span is read without the rest. Invariant: a frame opens in its own object,
at its own number, as the last one or not: none can be taken away, moved or added. Pure.
"""

from collections.abc import AsyncIterator

from baton_events.errors import UnreadablePayloadError
from baton_events.sealing import PayloadContext, Sealing

FRAME_BYTES = 1_000_000
_MARK = b"sealed:frames:"
HEAD_BYTES = len(_MARK) + 11


def sealed_object(sealing: Sealing, tenant: str, name: str, data: bytes) -> bytes:
    """Return an object as it is kept. A codec seals frames of one size to one size; else there is one frame."""
    firsts = range(0, max(1, len(data)), FRAME_BYTES)
    frames = [_sealed(sealing, tenant, name, at, len(firsts), data[at : at + FRAME_BYTES]) for at in firsts]
    if len({len(frame) for frame in frames[:-1]}) > 1:
        frames = [_sealed(sealing, tenant, name, 0, 1, data)]
    return b"".join((b"%b%010d:" % (_MARK, len(frames[0])), *frames))


def _sealed(sealing: Sealing, tenant: str, name: str, at: int, count: int, data: bytes) -> bytes:
    number = at // FRAME_BYTES
    return sealing.seal_bytes(data, PayloadContext(tenant, "object", _place(name, number, number == count - 1)))


def _place(name: str, number: int, is_last: bool) -> str:  # noqa: FBT001 - the pure name of a place
    return f"{name}:{number}:{'last' if is_last else 'more'}"


def frame_bytes(head: bytes) -> int:
    """Return the length of a whole frame, by an object's head; 0: it is not sealed."""
    return int(head[len(_MARK) : HEAD_BYTES - 1]) if head.startswith(_MARK) and len(head) >= HEAD_BYTES else 0


def frames_of(start: int, end: int | None, frame: int, size: int) -> tuple[int, int, int]:
    """Return the first frame of a span and the first after it, and how many there are in an object of this size."""
    count = -(-(size - HEAD_BYTES) // frame)
    return start // FRAME_BYTES, count if end is None else min(count, -(-end // FRAME_BYTES)), count


async def opened(
    sealing: Sealing, name: str, sealed: AsyncIterator[bytes], frame: int, numbers: tuple[int, int, int]
) -> AsyncIterator[bytes]:
    """Yield the contents of frames. `sealed`: their bytes in pieces.

    Raises:
        UnreadablePayloadError: a frame does not open here.
    """
    first, end, count = numbers
    held = bytearray()
    for number in range(first, end):
        async for piece in sealed:
            held += piece
            if len(held) >= frame:
                break
        data, held = bytes(held[:frame]), held[frame:]
        yield sealing.open_bytes(_checked(data), "object", _place(name, number, number == count - 1))


async def only(data: bytes) -> AsyncIterator[bytes]:
    """Yield these bytes."""
    yield data


def _checked(data: bytes) -> bytes:
    if not data.startswith(b"sealed:"):
        raise UnreadablePayloadError("", "is not named: the object was cut off or changed")
    return data
