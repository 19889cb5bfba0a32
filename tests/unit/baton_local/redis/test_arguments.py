import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton_local.redis.arguments import (
    MalformedRequestError,
    command_from_json,
    command_from_path,
    commands_from_json,
    parse_json,
    split_target,
)

NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@given(NUMBERS)
def test_a_number_keeps_its_text(number: str) -> None:
    """Whatever a double would have made of it."""
    assert command_from_json(parse_json(f'["ECHO", {number}]'.encode())) == [b"ECHO", number.encode()]


@given(st.lists(st.text(), min_size=1).filter(lambda items: items[0] != ""), st.booleans())
def test_text_arrives_as_utf8(items: list[str], ascii_only: bool) -> None:
    body = json.dumps(items, ensure_ascii=ascii_only).encode()
    assert command_from_json(parse_json(body)) == [item.encode() for item in items]


def test_a_long_number_is_no_problem() -> None:
    digits = "9" * 10_000
    assert command_from_json(parse_json(f'["ECHO",{digits}]'.encode())) == [b"ECHO", digits.encode()]


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
    assert command_from_json(parse_json(body)) == expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({}, "JSON array"), ("PING", "JSON array"), ([None], "name"), ([[]], "name"), ([""], "name"), ([True], "name"),
        (["A", None], "not null"), (["A", {}], "not object"), (["A", ["b"]], "not array"),
    ],
)  # fmt: skip
def test_what_is_no_command_says_what_one_is(value: Any, shown: str) -> None:
    with pytest.raises(MalformedRequestError, match=shown):
        command_from_json(value)


@pytest.mark.parametrize("body", [b"{}", b"[[]]", b'[["PING"], []]', b"{", b"\xff", b"[NaN]", b"[" * 200_000])
def test_what_is_no_batch_or_no_json_is_an_error(body: bytes) -> None:
    """A batch is a list of non-empty lists; depth bombs and bytes that are no UTF-8 are no JSON."""
    with pytest.raises(MalformedRequestError):
        commands_from_json(parse_json(body))


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
    assert split_target(target) == (path, parameters)


def test_a_path_command_is_segments_then_body_then_query() -> None:
    parameters = [(b"_token", b"t"), (b"EX", b"100"), (b"NX", None), (b"", b"")]
    command = command_from_path(b"set/a%2Fb+c/%ff//", parameters, b"\x00body")
    assert command == [b"set", b"a/b+c", b"\xff", b"", b"", b"\x00body", b"EX", b"100", b"NX", b"", b""]
