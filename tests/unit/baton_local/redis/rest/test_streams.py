"""Events of streams; the streams themselves are tested over HTTP (tests/contract/redis_rest)."""

import pytest

from baton_local.redis.link.resp import OK, Reply, Status
from baton_local.redis.rest.streams import event


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ([b"subscribe", b"c", 1], b"data: subscribe,c,1\n\n"),
        ([b"message", b"c", b"a,b"], b"data: message,c,a,b\n\n"),
        ([b"pmessage", b"p*", b"pc", b""], b"data: pmessage,p*,pc,\n\n"),
        (OK, b'data: "OK"\n\n'),
        (Status(b'1.2 [0 x] "GET" "k"'), b'data: 1.2 [0 x] "GET" "k"\n\n'),
        ([b"message", b"c", b"a\r\n\nb"], b"data: message,c,a\\r\\n\\nb\n\n"),
        ([b"message", b"c", b"\xff"], "data: message,c,\ufffd\n\n".encode()),
    ],
)
def test_an_event_is_one_data_line_and_a_blank_one(reply: Reply, expected: bytes) -> None:
    assert event(reply) == expected
