"""What clients send: every value as it is, or an error by its place; every id as one part of a path."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal
from math import inf, nan
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from baton.client import ApiError, BatonClient
from baton.client.requests import in_path

Send = Callable[[BatonClient, Any], object]
SENDS: tuple[Send, ...] = (
    lambda client, value: client.submit("a", input_data={"a": [value]}),
    lambda client, value: client.approve("c", arguments={"a": [value]}),
    lambda client, value: client.complete_operation("o", result={"a": [value]}),
    lambda client, value: client.send_event("j", "said", {"a": [value]}),
    lambda client, value: client.emit("said", {"a": [value]}),
    lambda client, value: client.fork("j", turn=1, edits={"a": [value]}),
    lambda client, value: client.request("POST", "/x", body={"a": [value]}),
)
IDS = ("a/b", "a?b#c", "..", ".", "a/../b", "a\nb", "é", "\ud800", "%2F", " ", "")


def _sent(send: Callable[..., object], key: str = "key") -> list[httpx.Request]:
    sent = list[httpx.Request]()

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(404, json={"title": "t", "status": 404, "detail": "no"})

    client = BatonClient("http://x", key, operations_key=key, transport=httpx.MockTransport(answer))
    with suppress(ApiError):
        send(client)
    return sent


REFUSED = (nan, inf, -inf, b"\xff", object(), 10**5_000, {(1, object()): 2})
# What is given, and what JSON means by it.
TAKEN: tuple[tuple[Any, Any], ...] = (
    *((value, value) for value in (2**53 + 1, 2**64, -(2**70), 5e-324, 1e308, -0.0, None, True, "é\0", "")),
    *(("a\ud83d\ude00", "a\U0001f600"), ("\udcff", "\ufffd"), (b"ok", "ok"), (Decimal("0.10"), "0.10")),
    *((date(2026, 1, 2), "2026-01-02"), ((1, "a"), [1, "a"]), ({1: 2}, {"1": 2})),
)


@pytest.mark.parametrize("send", SENDS)
def test_what_json_cannot_hold_is_refused_by_its_place(send: Send) -> None:
    for value in REFUSED:
        with pytest.raises(ValueError, match=r"^body\..*a\[0\]"):
            _sent(lambda client, value=value: send(client, value))


@pytest.mark.parametrize("send", SENDS)
def test_what_json_can_hold_is_sent_as_it_is(send: Send) -> None:
    for value, means in TAKEN:
        [request] = _sent(lambda client, value=value: send(client, value))
        assert json.dumps({"a": [means]}) in json.dumps(json.loads(request.content)), request.content


def test_an_id_is_one_part_of_a_path() -> None:
    for one in IDS:
        [request] = _sent(lambda client, one=one: client.get(one))
        assert request.url.raw_path.decode() == f"/api/agent-jobs/{in_path(one)}", one
        assert unquote(in_path(one)) == one.replace("\ud800", "\ufffd")
        assert not {"/", "?", "#"} & set(in_path(one))


def test_a_query_has_text_that_utf8_can_hold() -> None:
    [request] = _sent(lambda client: list(client.jobs(session="\ud800")))
    assert request.url.params["sessionId"] == "\ufffd"


@pytest.mark.parametrize("body", [{"maxConcurrentJobs": None}, {"a": {"b": None}}, [1, None], "x"])
def test_a_body_of_your_own_is_sent_as_it_is(body: Any) -> None:
    """The API tells null from a field that is left out: of the worker it is the setting again."""
    [request] = _sent(lambda client: client.request("POST", "/x", body=body))
    assert json.loads(request.content) == body


# What a header may hold, as the bytes that are sent, and what it may not.
HEADERS = ("a", "a b", "a\tb", "\xe9\U0001f389", "\xa0", '"a"', "a,b;c=1", "x" * 255)
NO_HEADERS = ("a\nb", "a\r\nX-Evil: 1", "\0", "a\x7f", " a", "a ", " ", "\n")
KEYED: tuple[Send, ...] = (
    lambda client, key: client.submit("a", idempotency_key=key),
    lambda client, key: client.emit("said", idempotency_key=key),
    lambda client, key: client.fork("j", turn=1, idempotency_key=key),
    lambda client, key: client.request("POST", "/x", idempotency_key=key),
    lambda client, after: list(client.stream("j", after=after)),
)


@pytest.mark.parametrize("send", KEYED)
def test_a_header_is_sent_as_utf8_or_refused_at_once_by_its_name(send: Send) -> None:
    for value in HEADERS:
        [request] = _sent(lambda client, value=value: send(client, value))
        assert value.encode() in [sent for _, sent in request.headers.raw]
    for value in NO_HEADERS:
        with pytest.raises(ValueError, match=r"^(Idempotency-Key|Last-Event-ID) .*take it out"):
            _sent(lambda client, value=value: send(client, value))


def test_a_key_loses_the_line_break_of_its_file_and_is_in_no_error() -> None:
    [request] = _sent(lambda client: client.get("j"), "bk_secret\r\n")
    assert (request.headers["authorization"], request.headers["x-api-key"]) == ("Bearer bk_secret", "bk_secret")
    with pytest.raises(ValueError, match=r"^key is not one word") as raised:
        _sent(lambda client: client.get("j"), "bk_secret\nbk_other")
    assert "bk_" not in str(raised.value)
