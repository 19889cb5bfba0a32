"""Events of Lambda as HTTP requests: each way of hosting serves the same paths, and what is no request is named."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from mangum.types import LambdaConfig

from baton.worker.lambda_requests import BroughtRequest, NoRequestError, brought_request
from baton_local.fixtures.lambda_events import (
    ODD_EVENTS,
    HttpRequest,
    body_of,
    function_url_event,
    http_api_event,
    http_api_event_1,
    load_balancer_event,
    rest_api_event,
)

_CONFIG = LambdaConfig(api_gateway_base_path="/", text_mime_types=["text/"], exclude_headers=[])
_WAYS = (function_url_event, http_api_event, http_api_event_1, rest_api_event, load_balancer_event)
each_way = pytest.mark.parametrize("event_of", _WAYS, ids=lambda event_of: event_of.__name__)
EventOf = Callable[[HttpRequest], dict[str, Any]]


def brought(event: Any) -> BroughtRequest:
    return brought_request(event, None, _CONFIG)


@each_way
@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/api/sessions/plain", "/api/sessions/plain"),
        ("/api/sessions/a%20b", "/api/sessions/a b"),
        ("/api/sessions/a%2541b", "/api/sessions/a%41b"),
        ("/api/sessions/100%2525", "/api/sessions/100%25"),
        ("/api/sessions/x%252Fy", "/api/sessions/x%2Fy"),
        ("/api/sessions/a+b", "/api/sessions/a+b"),
        ("/api/sessions/%C3%BC", "/api/sessions/\u00fc"),
        ("", "/"),
    ],
)
def test_a_path_is_decoded_once_however_it_came(event_of: EventOf, written: str, path: str) -> None:
    scope = brought(event_of(HttpRequest("GET", written))).scope
    assert scope["path"] == path
    decoded_before = event_of in (http_api_event, http_api_event_1)
    assert scope["raw_path"] == (None if decoded_before else written.encode() or b"/")


@each_way
def test_a_request_is_whole_however_it_came(event_of: EventOf) -> None:
    request = brought(event_of(HttpRequest("POST", "/", {"x-a": "b"}, bytes(range(256)), "x=1")))
    scope = request.scope
    assert (scope["method"], scope["query_string"], scope["client"][0]) == ("POST", b"x=1", "198.51.100.7")
    assert [b"x-a", b"b"] in [list(header) for header in scope["headers"]]
    assert request.body == bytes(range(256))


@each_way
@pytest.mark.parametrize("port", ["443,80", "443, 443", "https", ""])
def test_the_ports_of_several_proxies_refuse_no_request(event_of: EventOf, port: str) -> None:
    assert brought(event_of(HttpRequest("GET", "/healthz", {"X-Forwarded-Port": port}))).scope["path"] == "/healthz"


@each_way
def test_an_answer_has_a_header_of_any_bytes(event_of: EventOf) -> None:
    """ASGI has header values as bytes, which Starlette writes in Latin-1."""
    request = brought(event_of(HttpRequest("GET", "/")))
    answer = request({"status": 200, "headers": [[b"x-name", "\u00fc".encode("latin-1")]], "body": b""})
    assert answer["headers"]["x-name"] == "\u00fc"


@each_way
@pytest.mark.parametrize("character", ["x", '"', "\u00fc"])
@pytest.mark.parametrize("size", [900_000, 5_000_000, 7_000_000])
def test_an_answer_over_lambdas_limit_says_so(event_of: EventOf, size: int, character: str) -> None:
    """Counted as it is sent, as JSON; what is as large as it may be is sent whole."""
    request, body = brought(event_of(HttpRequest("GET", "/"))), (character * size).encode()
    answer = request({"status": 200, "headers": [[b"content-type", b"text/plain"]], "body": body})
    fits = len(json.dumps(body.decode())) < 6 * 1024 * 1024
    assert (answer["statusCode"], len(json.dumps(answer)) <= 6 * 1024 * 1024) == (200 if fits else 500, True)
    assert fits or str(len(body)) in json.loads(body_of(answer))["detail"]


@pytest.mark.parametrize("event", ODD_EVENTS.values(), ids=ODD_EVENTS)
def test_an_event_that_is_no_request_is_refused_by_name(event: Any) -> None:
    """In ASCII, since Lambda's own client may not be able to send anything else."""
    with pytest.raises(NoRequestError, match="no HTTP request") as refusal:
        brought(event)
    assert str(refusal.value).isascii()
    assert len(str(refusal.value)) < 1_000
