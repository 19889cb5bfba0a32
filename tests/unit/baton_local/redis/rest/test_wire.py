import pytest

from baton_local.redis.link.resp import OK
from baton_local.redis.rest.arguments import MalformedRequestError
from baton_local.redis.rest.replies import JSON, JSON_BASE64, RESP2, Wire, wire_of


@pytest.mark.parametrize(
    ("encoding", "response_format", "wire"),
    [
        (None, None, JSON),
        (b"base64", None, JSON_BASE64),
        (b"Base64", b"JSON", JSON_BASE64),
        (b"rot13", b"json", JSON),
        (None, b"RESP2", RESP2),
    ],
)
def test_headers_choose_the_form(encoding: bytes | None, response_format: bytes | None, wire: Wire) -> None:
    given = {b"upstash-encoding": encoding, b"upstash-response-format": response_format}
    assert wire_of({name: value for name, value in given.items() if value is not None}) is wire


@pytest.mark.parametrize("headers", [{b"upstash-response-format": b"xml"}, {b"upstash-response-format": b""}])
def test_an_unknown_format_is_refused(headers: dict[bytes, bytes]) -> None:
    with pytest.raises(MalformedRequestError, match="json or resp2"):
        wire_of(headers)


def test_resp2_and_base64_exclude_each_other() -> None:
    with pytest.raises(MalformedRequestError, match="cannot be combined"):
        wire_of({b"upstash-response-format": b"resp2", b"upstash-encoding": b"base64"})


def test_batches_are_lists_or_concatenations() -> None:
    assert JSON.batch([OK, 1]) == b'[{"result":"OK"},{"result":1}]'
    assert RESP2.batch([OK, 1]) == b"+OK\r\n:1\r\n"
    assert RESP2.single(b"x") == b"$1\r\nx\r\n"
