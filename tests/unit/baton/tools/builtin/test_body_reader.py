"""What is read of an answer: all of it, or an error that says why not."""

import gzip
import zlib
from collections.abc import Callable

import httpx
import pytest

from baton.tools.builtin.http_fetch import read_body
from baton.tools.tool_error import ToolError

WHOLE = b"".join(b"line %d of many\n" % number for number in range(5_000))


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_packed_answer_that_is_cut_off_is_not_taken_as_whole(
    encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    """Its beginning can be unpacked, and the reader would take it for all there is."""
    packed, headers = pack(WHOLE), {"content-encoding": encoding}
    assert await read_body(_answer(packed, headers), len(WHOLE)) == WHOLE
    for size_bytes in (len(packed) // 2, len(packed) - 1):
        with pytest.raises(ToolError, match="cut off") as caught:
            await read_body(_answer(packed[:size_bytes], headers), len(WHOLE))
        assert caught.value.retryable


def _answer(body: bytes, headers: dict[str, str]) -> httpx.Response:
    return httpx.Response(200, headers=headers, stream=httpx.ByteStream(body))
