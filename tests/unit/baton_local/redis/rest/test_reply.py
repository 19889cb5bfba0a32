import json
from base64 import b64decode
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from baton_local.redis.link.resp import OK, Reply, ServerError, Status
from baton_local.redis.rest.replies import error_body, member

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
