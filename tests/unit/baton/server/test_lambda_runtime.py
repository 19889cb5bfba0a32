"""The runtime that streams, against the Runtime API: what it asks for, what it sends and when, and what goes wrong."""

import asyncio
import base64
import json
import logging
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from baton.server.lambda_runtime import RuntimeApiError, run, serve_next
from baton.worker.entry import UNTIL_MS, LambdaHandler
from baton_local.fixtures.lambda_events import ODD_EVENTS, HttpRequest, function_url_event, http_api_event
from tests.deploy.runtime_api import Invocation, RuntimeApi

ASKED = function_url_event(HttpRequest("POST", "/api/chat", {"cookie": "a=1"}, b"hello", "x=1"))
DELIMITER = bytes(8)
PATIENCE_SECONDS = 30


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    made = RuntimeApi()
    yield made
    made.close()


@contextmanager
def serving(address: str, app: ASGIApp) -> Iterator[Future[None]]:
    handler = LambdaHandler(app)
    with ThreadPoolExecutor(1) as threads:
        yield threads.submit(serve_next, address, handler)
    handler.loop.close()


def answered(api: RuntimeApi, app: ASGIApp, event: Any = ASKED) -> list[tuple[str, Any]]:
    invocation = Invocation("request-1", event, 60.0)
    api.waiting.put(invocation)
    with serving(api.address, app) as done:
        done.result(PATIENCE_SECONDS)
    return list(invocation.answer.queue)


def streamed(found: list[tuple[str, Any]]) -> tuple[dict[str, Any], bytes, dict[str, str]]:
    *pieces, (kind, trailers) = found
    assert [kind for kind, _ in pieces] == ["piece"] * len(pieces)
    assert kind == "end"
    prelude, _, body = b"".join(piece for _, piece in pieces).partition(DELIMITER)
    return json.loads(prelude), body, trailers


def test_a_piece_is_sent_before_the_app_goes_on(api: RuntimeApi) -> None:
    """The app says no more until the piece has been read; the request is whole, and so is the prelude."""
    read, requests = threading.Event(), list[tuple[Any, bytes]]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        requests.append((scope, (await receive())["body"]))
        headers = [(b"content-type", b"text/plain"), (b"vary", b"a"), (b"vary", b"b")]
        headers += [(b"set-cookie", b"one=1"), (b"set-cookie", b"two=2")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await asyncio.to_thread(read.wait, PATIENCE_SECONDS)
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        await send({"type": "http.response.body", "body": b"second"})

    invocation = Invocation("request-1", ASKED, 60.0)
    api.waiting.put(invocation)
    with serving(api.address, app) as done:
        found = [invocation.answer.get(timeout=PATIENCE_SECONDS) for _ in range(2)]
        assert found[-1] == ("piece", b"first")
        read.set()
        done.result(PATIENCE_SECONDS)
    prelude, body, trailers = streamed([*found, *invocation.answer.queue])
    headers = {"content-type": "text/plain", "vary": "a,b"}
    assert prelude == {"statusCode": 201, "headers": headers, "cookies": ["one=1", "two=2"]}
    assert (body, trailers) == (b"firstsecond", {})
    [(scope, asked)] = requests
    assert (scope["method"], scope["path"], scope["query_string"], asked) == ("POST", "/api/chat", b"x=1", b"hello")
    assert scope[UNTIL_MS] == invocation.deadline_ms - 5_000


async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
    async def pieces() -> AsyncIterator[str]:
        yield "first"
        raise ValueError("the password is 1234")

    await StreamingResponse(pieces())(scope, receive, send)


def test_an_answer_that_breaks_off_ends_with_an_error_behind_it(api: RuntimeApi) -> None:
    """For Lambda's figures; what was wrong is in the log alone."""
    prelude, body, trailers = streamed(answered(api, breaks))
    assert (prelude["statusCode"], body) == (200, b"first")
    assert trailers["Lambda-Runtime-Function-Error-Type"] == "ValueError"
    error = json.loads(base64.b64decode(trailers["Lambda-Runtime-Function-Error-Body"]))
    assert (error["errorType"], "1234" in error["errorMessage"]) == ("ValueError", False)


async def fails(scope: Scope, receive: Receive, send: Send) -> None:
    """Fail before there is an answer: settings are missing."""
    raise ValueError("QSTASH_TOKEN is not set")


def test_an_app_that_fails_before_it_answers_is_a_500(api: RuntimeApi) -> None:
    prelude, body, trailers = streamed(answered(api, fails))
    assert (prelude["statusCode"], body, trailers) == (500, b"Internal Server Error", {})


async def forgets(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer nothing at all."""


async def forgets_the_end(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})


def test_an_app_that_ends_before_its_answer_leaves_no_invocation_open(api: RuntimeApi) -> None:
    """Lambda would wait for the answer until the function's time is up."""
    prelude, body, _ = streamed(answered(api, forgets))
    assert (prelude["statusCode"], body) == (500, b"Internal Server Error")
    _, body, trailers = streamed(answered(api, forgets_the_end))
    assert (body, trailers["Lambda-Runtime-Function-Error-Type"]) == (b"first", "RuntimeError")


def test_what_comes_through_an_http_api_is_answered_whole(api: RuntimeApi) -> None:
    """It does not understand a stream."""
    [(kind, answer)] = answered(api, Response("here"), http_api_event(HttpRequest("GET", "/")))
    assert (kind, answer["statusCode"], answer["body"]) == ("response", 200, "here")


_WRITTEN = {"no JSON": b"{", "nothing": b"", "no UTF-8": b'"\xff"', "a deep one": b"[" * 100_000}


@pytest.mark.parametrize("event", [*ODD_EVENTS.values(), *_WRITTEN.values()], ids=[*ODD_EVENTS, *_WRITTEN])
def test_an_event_that_is_no_request_is_reported_and_the_next_one_is_served(api: RuntimeApi, event: Any) -> None:
    """By the same process, which does not ask the app."""
    [(kind, error)] = answered(api, Response("here"), event)
    assert kind == "error"
    assert error["errorMessage"]
    prelude, body, _ = streamed(answered(api, Response("here")))
    assert (prelude["statusCode"], body) == (200, b"here")


@pytest.mark.parametrize("ends", [SystemExit(3), asyncio.CancelledError()])
def test_an_app_that_wants_to_end_its_process_is_a_500(api: RuntimeApi, ends: BaseException) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ends

    prelude, body, _ = streamed(answered(api, app))
    assert (prelude["statusCode"], body) == (500, b"Internal Server Error")
    [(kind, answer)] = answered(api, app, http_api_event(HttpRequest("GET", "/")))
    assert (kind, answer["statusCode"]) == ("response", 500)


def test_an_answer_with_headers_that_cannot_be_written_is_a_500(api: RuntimeApi) -> None:
    prelude, body, _ = streamed(answered(api, with_header(b"\xff", b"1")))
    assert (prelude["statusCode"], body) == (500, b"Internal Server Error")
    prelude, body, _ = streamed(answered(api, with_header(b"x-name", b"\xfc")))
    assert (prelude["headers"]["x-name"], body) == ("\u00fc", b"here")


def with_header(name: bytes, value: bytes) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(name, value)]})
        await send({"type": "http.response.body", "body": b"here"})

    return app


def test_an_answer_that_lambda_does_not_take_is_reported(api: RuntimeApi) -> None:
    api.largest_bytes = 1_000
    event = http_api_event(HttpRequest("GET", "/"))
    [(kind, error)] = answered(api, Response(b"x" * 900, media_type="text/plain"), event)
    assert (kind, error["errorType"]) == ("error", "RuntimeApiError")


def test_no_next_event_is_the_end_of_the_process() -> None:
    """Lambda's page says so, and a process that asked again would do so without end."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:
        threads.submit(_refuse, server)
        serve = serving(f"127.0.0.1:{server.getsockname()[1]}", Response("here"))
        with serve as done, pytest.raises(RuntimeApiError, match="answered 500"):
            done.result(PATIENCE_SECONDS)


def _refuse(server: socket.socket) -> None:
    with server.accept()[0] as asking:
        asking.recv(10_000)
        asking.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}")


def test_an_app_learns_that_nobody_takes_its_answer(caplog: pytest.LogCaptureFixture) -> None:
    """And the process goes on to the next event, without an error in the log."""

    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield bytes(100_000)

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:
        threads.submit(_hang_up, server)
        with serving(f"127.0.0.1:{server.getsockname()[1]}", StreamingResponse(pieces())) as done:
            done.result(PATIENCE_SECONDS)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def _hang_up(server: socket.socket) -> None:
    """Hand out an event, and take only the first piece of its answer."""
    event = json.dumps(ASKED)
    with server.accept()[0] as asking:
        asking.recv(10_000)
        head = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: 1\r\n"
        asking.sendall(f"{head}Content-Length: {len(event)}\r\n\r\n{event}".encode())
    with server.accept()[0] as answering:
        answering.recv(10_000)


@pytest.mark.parametrize(
    ("name", "kind"), [("baton/no_such_module.handler", "ModuleNotFoundError"), ("baton/server/site.app", "TypeError")]
)
def test_a_handler_that_cannot_be_served_is_an_error_of_the_start(api: RuntimeApi, name: str, kind: str) -> None:
    with pytest.raises((ModuleNotFoundError, TypeError)):
        run(api.address, name)
    assert api.init_error["errorType"] == kind
