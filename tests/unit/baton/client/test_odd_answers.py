"""The client against servers that answer what Baton does not: each answer is read, or an `ApiError` says what it is."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from baton.client import ApiError, BatonClient, UnreachableError
from tests.unit.baton.client.test_client import DONE, JOB, Script, Server, part, problem, stream

PROBLEMS: list[bytes] = [
    b'{"detail": "x", "errors": "no"}',
    b'{"detail": "x", "errors": [1, null, {"field": "a", "message": "m"}]}',
    b'{"detail": "x", "errors": {"a": 1}}',
    b'{"detail": {"a": [1]}}',
    b'{"detail": null, "title": 5, "code": []}',
    *(
        b"[]",
        b"null",
        b"5",
        b"",
        b"<html>Bad gateway</html>",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"detail": ' + b"9" * 5_000,
    ),
]
BODIES: list[bytes] = [
    *(b"<html>", b'{"id":"job_1","sta', b"[1]", b"null", b"5", b"", b'{"id":5,"status":[],"jobType":{}}'),
    *(b'{"id":"\xff"}', b"\xff\xfe", b'\xef\xbb\xbf{"id":"a"}', b"[" * 100_000, b'{"id":"\\ud800"}'),
]
EVENTS = ["{oops", "[1]", "5", "null", '{"a":1}', '{"type":5}', "[" * 100_000, '{"type":"x","n":' + "9" * 5_000 + "}"]


@pytest.fixture(autouse=True)
def paused(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that are made, which take no time."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


@pytest.mark.parametrize("body", PROBLEMS)
def test_a_refusal_of_any_form_is_an_error_of_its_status(body: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        Server(httpx.Response(422, content=body)).client().get("job_1")
    assert refused.value.status == 422
    assert all(isinstance(fault, dict) for fault in refused.value.errors)


@pytest.mark.parametrize("body", BODIES)
def test_an_answer_of_another_form_is_named(body: bytes) -> None:
    with pytest.raises(UnreachableError, match="did not answer as Baton does: is this its address"):
        Server(httpx.Response(200, content=body)).client().get("job_1")


@pytest.mark.parametrize("data", EVENTS)
def test_an_event_of_another_form_is_named(data: str) -> None:
    with pytest.raises(UnreachableError, match="did not answer as Baton does"):
        list(Server(stream(f"id: 1-1\ndata: {data}\n\n", DONE)).client().stream("job_1"))


@pytest.mark.parametrize("calls", [lambda client: client.get("job_1"), lambda client: list(client.stream("job_1"))])
def test_a_redirect_is_followed_to_no_other_host(calls: Callable[[BatonClient], Any]) -> None:
    """The key would go there, too."""
    server = Server(httpx.Response(307, headers={"location": "http://169.254.169.254/"}))
    with pytest.raises(ApiError):
        calls(server.client(retry_seconds=0))
    assert len(server.sent) == 1


WAITS = [
    ("7", 7.0),
    ("1.5", 1.5),
    ("-5", 0.0),
    ("Wed, 21 Oct 1999 07:28:00 GMT", 0.0),
    ("Wed, 21 Oct 2099 07:28:00 GMT", 3_600.0),
    ("9" * 50, 3_600.0),
    *((text, None) for text in ("nan", "abc", "9" * 400)),
]


@pytest.mark.parametrize(("named", "seconds"), WAITS)
def test_a_wait_is_read_in_every_form(paused: list[float], named: str, seconds: float | None) -> None:
    server = Server(problem(429, named), httpx.Response(200, json=JOB))
    if seconds is None or seconds < 30:
        assert server.client().get("job_1").has_ended
        assert len(paused) == 1
        assert paused[0] >= (seconds or 0)
        return
    with pytest.raises(ApiError) as refused:
        server.client().get("job_1")
    assert refused.value.retry_after_seconds == seconds


def test_a_letter_that_a_lost_connection_cuts_is_read_whole_from_the_next() -> None:
    event = part(2, type="text-delta", delta="\U0001f600").encode()
    cut = event.index(b"\xf0") + 2

    class Cut(Script):
        def __iter__(self) -> Any:
            yield event[:cut]
            raise httpx.ReadError("lost")

    broken = httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Cut())
    server = Server(broken, stream(event.decode(), DONE))
    assert [each.raw["delta"] for each in server.client().stream("job_1")] == ["\U0001f600"]
