import json
from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton_local.redis import forms
from baton_local.redis.resp import OK, Reply, ServerError, Status

NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@given(NUMBERS)
def test_a_number_keeps_its_text(number: str) -> None:
    """Whatever a double would have made of it."""
    assert forms.command_from_json(forms.parse_json(f'["ECHO", {number}]'.encode())) == [b"ECHO", number.encode()]


@given(st.lists(st.text(), min_size=1).filter(lambda items: items[0] != ""), st.booleans())
def test_text_arrives_as_utf8(items: list[str], ascii_only: bool) -> None:
    body = json.dumps(items, ensure_ascii=ascii_only).encode()
    assert forms.command_from_json(forms.parse_json(body)) == [item.encode() for item in items]


def test_a_long_number_is_no_problem() -> None:
    digits = "9" * 10_000
    assert forms.command_from_json(forms.parse_json(f'["ECHO",{digits}]'.encode())) == [b"ECHO", digits.encode()]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'["A",true,false]', [b"A", b"true", b"false"]),
        (rb'["A","\ud800"]', [b"A", "\ufffd".encode()]),
        (rb'["A","x\udc00y",true]', [b"A", "x\ufffdy".encode(), b"true"]),
        (rb'["A","\ud83d\ude42"]', [b"A", "🙂".encode()]),
    ],
)
def test_booleans_and_surrogates(body: bytes, expected: list[bytes]) -> None:
    assert forms.command_from_json(forms.parse_json(body)) == expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({}, "JSON array"), ("PING", "JSON array"), ([None], "name"), ([[]], "name"), ([""], "name"), ([True], "name"),
        (["A", None], "not null"), (["A", {}], "not object"), (["A", ["b"]], "not array"),
    ],
)  # fmt: skip
def test_what_is_no_command_says_what_one_is(value: Any, shown: str) -> None:
    with pytest.raises(forms.MalformedRequestError, match=shown):
        forms.command_from_json(value)


@pytest.mark.parametrize("body", [b"{}", b"[[]]", b'[["PING"], []]', b"{", b"\xff", b"[NaN]", b"[" * 200_000])
def test_what_is_no_batch_or_no_json_is_an_error(body: bytes) -> None:
    """A batch is a list of non-empty lists; depth bombs and bytes that are no UTF-8 are no JSON."""
    with pytest.raises(forms.MalformedRequestError):
        forms.commands_from_json(forms.parse_json(body))


@pytest.mark.parametrize(
    ("target", "path", "parameters"),
    [
        (b"/", b"", []),
        (b"//pipeline", b"pipeline", []),
        (b"/set/a?EX=1%30&NX&x=", b"set/a", [(b"EX", b"10"), (b"NX", None), (b"x", b"")]),
        (b"/set/a?v=1+2%2B", b"set/a", [(b"v", b"1 2+")]),
        (b"/a?&&b=c=d", b"a", [(b"b", b"c=d")]),
        (b"http://host:1/get/a?b=c", b"get/a", [(b"b", b"c")]),
    ],
)
def test_targets_are_split_before_they_are_decoded(
    target: bytes, path: bytes, parameters: list[tuple[bytes, bytes | None]]
) -> None:
    assert forms.split_target(target) == (path, parameters)


def test_a_path_command_is_segments_then_body_then_query() -> None:
    parameters = [(b"_token", b"t"), (b"EX", b"100"), (b"NX", None), (b"", b"")]
    command = forms.command_from_path(b"set/a%2Fb+c/%ff//", parameters, b"\x00body")
    assert command == [b"set", b"a/b+c", b"\xff", b"", b"", b"\x00body", b"EX", b"100", b"NX", b"", b""]


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
    assert decoded(json.loads(forms.member(value, base64=True))["result"]) == value


@given(VALUES)
def test_without_an_encoding_it_is_json_all_the_same(value: Reply) -> None:
    """Bytes that are no UTF-8 become U+FFFD and never break the document."""
    body = json.loads(forms.member(value, base64=False).decode())
    assert list(body) == ["result"]
    if isinstance(value, bytes):
        assert body["result"] == value.decode("utf-8", "replace")


def test_ok_is_bare_at_the_top_only() -> None:
    assert forms.member(OK, base64=True) == b'{"result":"OK"}'
    assert forms.member([OK, b"OK"], base64=True) == b'{"result":["T0s=","T0s="]}'
    assert forms.member(Status(b"PONG"), base64=True) == b'{"result":"UE9ORw=="}'


def test_errors_are_plain_and_quoted() -> None:
    error = ServerError(b'ERR "x"\n\xff')
    text = 'ERR "x"\n\ufffd'
    for base64 in (True, False):
        assert json.loads(forms.member(error, base64=base64)) == {"error": text}
        assert json.loads(forms.member([1, error], base64=base64)) == {"result": [1, {"error": text}]}
    assert json.loads(forms.error_body("ERR ü")) == {"error": "ERR ü"}


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
    assert forms.event(reply) == expected


@pytest.mark.parametrize(
    ("encoding", "response_format", "wire"),
    [
        (None, None, forms.JSON),
        (b"Base64", b"JSON", forms.JSON_BASE64),
        (b"rot13", b"json", forms.JSON),
        (None, b"RESP2", forms.RESP2),
    ],
)
def test_headers_choose_the_form(encoding: bytes | None, response_format: bytes | None, wire: forms.Wire) -> None:
    """In any case; unknown encodings are ignored."""
    given = {b"upstash-encoding": encoding, b"upstash-response-format": response_format}
    assert forms.wire_of({name: value for name, value in given.items() if value is not None}) is wire


@pytest.mark.parametrize(
    ("encoding", "response_format", "why"),
    [(b"", b"xml", "json or resp2"), (b"", b"", "json or resp2"), (b"base64", b"resp2", "cannot be combined")],
)
def test_an_unknown_format_is_refused(encoding: bytes, response_format: bytes, why: str) -> None:
    with pytest.raises(forms.MalformedRequestError, match=why):
        forms.wire_of({b"upstash-encoding": encoding, b"upstash-response-format": response_format})
