from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton_local.redis.resp import Reply, ReplyParser, ResponseSyntaxError, ServerError, Status, encode_reply

LINES = st.binary(max_size=20).filter(lambda line: b"\r" not in line and b"\n" not in line)
REPLIES: st.SearchStrategy[Reply] = st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=40) | LINES.map(Status) | LINES.map(ServerError),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(REPLIES, max_size=5), st.lists(st.integers(0, 400), max_size=8))
def test_any_split_of_the_bytes_gives_the_same_replies(replies: list[Reply], cuts: list[int]) -> None:
    stream = b"".join(map(encode_reply, replies))
    parser = ReplyParser()
    parsed: list[Reply] = []
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for start, stop in pairwise(edges):
        parsed += parser.feed(stream[start:stop])
    assert parsed == replies
    assert list(map(type, parsed)) == list(map(type, replies))


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400\r\n", b"%1\r\n", b",1.5\r\n", b"$x\r\n", b":\r\n"])
def test_what_is_not_resp2_is_an_error(garbage: bytes) -> None:
    with pytest.raises(ResponseSyntaxError):
        ReplyParser().feed(garbage)


def test_only_a_server_that_cannot_serve_yet_is_for_later() -> None:
    assert [ServerError(text).is_for_later for text in (b"LOADING x", b"MASTERDOWN x", b"ERR")] == [True, True, False]


def test_an_endless_line_is_an_error() -> None:
    parser = ReplyParser()
    parser.feed(b"+" + b"x" * 1_000_000)
    with pytest.raises(ResponseSyntaxError, match="no line end"):
        parser.feed(b"x" * 100_000)


def test_a_large_value_may_come_in_pieces() -> None:
    parser = ReplyParser()
    value = b"x" * 5_000_000
    stream = encode_reply([value, 1])
    parsed = [reply for start in range(0, len(stream), 65_536) for reply in parser.feed(stream[start : start + 65_536])]
    assert parsed == [[value, 1]]
