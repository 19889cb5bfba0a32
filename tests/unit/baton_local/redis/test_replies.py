import json
from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton_local.redis.arguments import MalformedRequestError
from baton_local.redis.replies import JSON, JSON_BASE64, RESP2, Wire, error_body, event, member, wire_of
from baton_local.redis.resp import OK, Reply, ServerError, Status

VALUES: st.SearchStrategy[Reply] = st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=30),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=10,
)


def decoded(value: Any, *, whole: bool = True) -> Reply:
    if isinstance(value, str):
        return b"OK" if whole and value == "OK" else b64decode(value, validate=True)
    if isinstance(value, list):
        return [decoded(item, whole=False) for item in value]
    assert value is None or isinstance(value, int)
    return value


@given(VALUES)
def test_base64_brings_every_value_back(value: Reply) -> None:
    assert decoded(json.loads(member(value, base64=True))["result"]) == value


@given(VALUES)
def test_without_an_encoding_it_is_json_all_the_same(value: Reply) -> None:
    """Bytes that are no UTF-8 become U+FFFD and never break the document."""
    body = json.loads(member(value, base64=False).decode())
    assert list(body) == ["result"]
    if isinstance(value, bytes):
        assert body["result"] == value.decode("utf-8", "replace")


def test_ok_is_bare_at_the_top_only() -> None:
    assert member(OK, base64=True) == b'{"result":"OK"}'
    assert member([OK, b"OK"], base64=True) == b'{"result":["T0s=","T0s="]}'
    assert member(Status(b"PONG"), base64=True) == b'{"result":"UE9ORw=="}'


def test_errors_are_plain_and_quoted() -> None:
    error = ServerError(b'ERR "x"\n\xff')
    text = 'ERR "x"\n\ufffd'
    for base64 in (True, False):
        assert json.loads(member(error, base64=base64)) == {"error": text}
        assert json.loads(member([1, error], base64=base64)) == {"result": [1, {"error": text}]}
    assert json.loads(error_body("ERR ü")) == {"error": "ERR ü"}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ([b"pmessage", b"p*", b"pc", b""], b"data: pmessage,p*,pc,\n\n"),
        ([b"message", b"c", b"a\r\n\nb"], b"data: message,c,a\\r\\n\\nb\n\n"),
        ([b"message", b"c", b"\xff"], "data: message,c,\ufffd\n\n".encode()),
    ],
)
def test_an_event_is_one_data_line_and_a_blank_one(reply: Reply, expected: bytes) -> None:
    """Whatever is in the payload; the streams themselves are tested over HTTP (tests/contract/redis_rest)."""
    assert event(reply) == expected


@pytest.mark.parametrize(
    ("encoding", "response_format", "wire"),
    [(None, None, JSON), (b"Base64", b"JSON", JSON_BASE64), (b"rot13", b"json", JSON), (None, b"RESP2", RESP2)],
)
def test_headers_choose_the_form(encoding: bytes | None, response_format: bytes | None, wire: Wire) -> None:
    """In any case; unknown encodings are ignored."""
    given = {b"upstash-encoding": encoding, b"upstash-response-format": response_format}
    assert wire_of({name: value for name, value in given.items() if value is not None}) is wire


@pytest.mark.parametrize(
    ("encoding", "response_format", "why"),
    [(b"", b"xml", "json or resp2"), (b"", b"", "json or resp2"), (b"base64", b"resp2", "cannot be combined")],
)
def test_an_unknown_format_is_refused(encoding: bytes, response_format: bytes, why: str) -> None:
    with pytest.raises(MalformedRequestError, match=why):
        wire_of({b"upstash-encoding": encoding, b"upstash-response-format": response_format})
