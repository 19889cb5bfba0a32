"""How a body is read: counted while it comes, with no content coding, and with so many values at most."""

import asyncio
from contextlib import closing
from typing import Any

import pytest

from baton.settings.limits import BODY_BYTES_A_SECOND, BODY_SECONDS, ESCAPES, VALUES
from baton.store.transport.bodies import STOPPING, check_announced, check_values, read_body
from baton.testing.virtual_loop import VirtualLoop
from baton_events.errors import CodedBodyError, HungUpError, TooLargeError


async def read(*chunks: bytes, limit_bytes: int = 10, **headers: str) -> tuple[bytes, int]:
    """Read a body that comes in these chunks; return it, and how many of them were taken."""
    taken, coming = 0, list(chunks)

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": coming.pop(0), "more_body": bool(coming)}

    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return await read_body({"headers": sent}, receive, limit_bytes), taken


async def test_a_body_is_read_in_its_chunks() -> None:
    assert await read(b"01234", b"", b"56789") == (b"0123456789", 3)
    assert await read(b"{}", content_encoding="identity, ", content_length="2") == (b"{}", 1)


async def test_no_chunk_is_taken_behind_the_limit() -> None:
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"x" * 6, "more_body": True}

    with pytest.raises(TooLargeError, match="larger than 10 bytes"):
        await read_body({"headers": []}, receive, 10)
    assert taken == 2


async def test_who_hangs_up_has_sent_nothing() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    with pytest.raises(HungUpError):
        await read_body({"headers": []}, receive, 10)


class Stop:
    begun = False


@pytest.mark.parametrize(
    ("chunk", "each_seconds", "until_seconds"),
    [
        pytest.param(0, 1_000_000, BODY_SECONDS, id="half a body"),
        pytest.param(1, 0.4, BODY_SECONDS, id="drop by drop"),
        pytest.param(1, 19, BODY_SECONDS, id="a drop now and then"),
        pytest.param(BODY_BYTES_A_SECOND // 2, 1, 2 * BODY_SECONDS, id="too slow for its size"),
        pytest.param(BODY_BYTES_A_SECOND, 1, 0, id="slow, and fast enough"),
        pytest.param(1_000_000, 19, 0, id="large and slow"),
    ],
)
@pytest.mark.parametrize("stops_at_seconds", [None, 5])
def test_who_sends_too_slowly_is_not_waited_for(
    chunk: int, each_seconds: float, until_seconds: int, stops_at_seconds: int | None
) -> None:
    """Nor anybody while the process stops."""
    stop, loop, due = Stop(), VirtualLoop(), each_seconds

    async def receive() -> dict[str, Any]:
        nonlocal due
        await asyncio.sleep(max(0, due - loop.time()))
        due += each_seconds
        return {"type": "http.request", "body": b"x" * chunk, "more_body": loop.time() < 100}

    async def scenario() -> None:
        if stops_at_seconds is not None:
            loop.call_later(stops_at_seconds, setattr, stop, "begun", True)
        elif not until_seconds:
            assert await read_body({"headers": [], STOPPING: stop}, receive, 50_000_000)
            return
        with pytest.raises(HungUpError) as caught:
            await read_body({"headers": [], STOPPING: stop}, receive, 50_000_000)
        ends = until_seconds if stops_at_seconds is None else stops_at_seconds
        assert caught.value.status == (408 if stops_at_seconds is None else 503)
        assert ends <= loop.time() <= ends + max(1, min(each_seconds, 20))

    with closing(loop):
        task = loop.create_task(scenario())
        loop.run_until_idle()
        task.result()


@pytest.mark.parametrize("length", ["11", "0011", "9" * 5_000])
async def test_an_announced_length_is_believed(length: str) -> None:
    with pytest.raises(TooLargeError, match="larger than 10 bytes"):
        await read(b"{}", content_length=length)


@pytest.mark.parametrize("length", ["", "-1", "+5", "1_000", "abc", "10"])
async def test_what_is_no_length_says_nothing(length: str) -> None:
    assert await read(b"{}", content_length=length) == (b"{}", 1)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "GZip", "identity, gzip", "gzip, gzip", "x" * 5_000])
async def test_a_coded_body_is_refused_by_name(coding: str) -> None:
    """Nobody takes it for JSON, and nobody decodes a little into a lot."""
    with pytest.raises(CodedBodyError, match="Content-Encoding: ") as caught:
        await read(b"{}", content_encoding=coding)
    assert coding.lower().split(", ")[-1][:20] in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_coding_may_come_in_a_header_of_its_own() -> None:
    with pytest.raises(CodedBodyError, match="'br'"):
        check_announced([(b"content-encoding", b"identity"), (b"content-encoding", b"br")], 10)


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(b"1,", id="numbers"),
        pytest.param(b"{},", id="objects"),
        pytest.param(b'"",', id="texts"),
        pytest.param(b'"x":1,', id="a name that repeats"),
        pytest.param(b"[[[[", id="lists in lists"),
        pytest.param(b'"\\"",', id="escaped quotes"),
        pytest.param(b'"\\\\",', id="escaped escapes"),
    ],
)
def test_more_values_than_a_body_may_have_are_refused_unparsed(piece: bytes) -> None:
    check_values(b"[" + piece * 1_000 + b"1]")
    with pytest.raises(TooLargeError, match="more than 200000 values"):
        check_values(b"[" + piece * VALUES + b"1]")


@pytest.mark.parametrize(
    "text", [b",,[{" * VALUES, b'\\",' * VALUES, b"\\\\" * VALUES + b"," * VALUES * 2, b'{\\"a\\": [1, 2]},' * VALUES]
)
def test_values_are_no_signs_in_a_text(text: bytes) -> None:
    """A table, or JSON inside a text, is one value however long it is."""
    check_values(b'{"text": "' + text + b'", "data": [1, 2]}')


def test_a_body_has_so_many_escapes() -> None:
    """Wherever they stand: in a field that nobody reads, too."""
    body = b'{"nobody": {"reads": "' + b"\\n" * ESCAPES + b'%b"}}'
    check_values(body % b"")
    with pytest.raises(TooLargeError, match=f"more than {ESCAPES} escapes"):
        check_values(body % b"\\n")
