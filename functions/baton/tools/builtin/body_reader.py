"""Read a response's body, no more of it than was agreed.

Invariant: neither what is received nor what is unpacked ever exceeds the limit in memory: a few kilobytes of gzip may
hold gigabytes, and httpx would unpack a whole chunk at once, so unpacking is done here.
"""

import zlib

import httpx

from baton.tools.tool_error import ToolError

_ANY_ZLIB_HEADER = 32 + zlib.MAX_WBITS


async def read_body(response: httpx.Response, max_bytes: int) -> bytes:
    """The body, unpacked.

    Raises:
        ToolError: it is larger than `max_bytes`, or packed in a way that was not asked for; permanent.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", "deflate", ""):
        raise ToolError(f"the answer is encoded as {encoding!r}, which was not requested", type="NotText")
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body) if encoding in ("identity", "") else _unpacked(bytes(body), max_bytes)


def _unpacked(packed: bytes, max_bytes: int) -> bytes:
    if not packed:
        return b""
    unpacker = zlib.decompressobj(_ANY_ZLIB_HEADER)
    try:
        body = unpacker.decompress(packed, max_bytes + 1)
    except zlib.error as error:
        raise ToolError(f"the answer's encoding is damaged: {error}", retryable=True, type="NotText") from error
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    if not unpacker.eof:
        raise ToolError("the answer's encoding is cut off: its end is missing", retryable=True, type="NotText")
    return body


def _too_large(max_bytes: int) -> ToolError:
    return ToolError(f"the answer is larger than {max_bytes} bytes; ask for less of it", type="TooLarge")
