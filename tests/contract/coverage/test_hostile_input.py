"""Whatever is sent to a stand-in, it answers with the status of the spec, and everything else still flows."""

import itertools
import json
from collections.abc import Iterator

import pytest

from baton_local.fixtures.servers import QStashServer, RedisServer, VectorServer
from tests.contract.coverage.hostile_endpoints import BEHAVIOURS, HostileEndpoints
from tests.contract.coverage.hostile_words import (
    AMBIGUOUS,
    BAD_JSON,
    DEEP,
    NOT_HTTP,
    PATH_TRICKS,
)
from tests.contract.coverage.raw_request import RawAnswer, held_open, raw_bytes, raw_request
from tests.contract.qstash.destination import Destination

Server = QStashServer | RedisServer | VectorServer

MEGABYTE = 1 << 20
_numbers = itertools.count(1)


@pytest.fixture(params=["qstash", "redis", "vector"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the servers."""
    found: Server = request.getfixturevalue(f"{request.param}_process")
    return found


@pytest.fixture(scope="module")
def destination() -> Iterator[Destination]:
    """Where ordinary messages go."""
    with Destination() as running:
        yield running


def flows(server: Server, destination: Destination) -> None:
    """An ordinary caller is served."""
    if isinstance(server, QStashServer):
        path = f"/ordinary/{next(_numbers)}"
        server.call("POST", f"/v2/publish/{destination.url(path)}", "x")
        assert destination.wait(path)[0].body == b'"x"'
    elif isinstance(server, RedisServer):
        assert server.call("POST", "/", ["SET", "ordinary", "v"]) == {"result": "OK"}
        assert server.call("POST", "/", ["GET", "ordinary"]) == {"result": "v"}
    else:
        assert server.call("POST", "/upsert-data", {"id": "ordinary", "data": "v"}) == {"result": "Success"}
        assert server.call("POST", "/fetch", {"ids": ["ordinary"]}) == {"result": [{"id": "ordinary"}]}


def json_paths(server: Server) -> tuple[str, ...]:
    """Where a JSON body is wanted."""
    if isinstance(server, QStashServer):
        return ("/v2/batch", "/v2/queues", "/v2/topics/t/endpoints")
    if isinstance(server, RedisServer):
        return ("/", "/pipeline", "/multi-exec")
    return ("/upsert", "/query", "/delete", "/update")


def test_bad_json_is_400(server: Server, destination: Destination) -> None:
    """With a text that says so, as JSON."""
    for path, body in itertools.product(json_paths(server), BAD_JSON):
        answer = raw_request(server.url, target=path, body=body, token=server.token)
        assert (answer.status, bool(answer.error)) == (400, True), (path, body[:20], answer)
    flows(server, destination)


def test_a_body_of_fifty_megabytes_is_refused(server: Server, destination: Destination) -> None:
    """413 from QStash; the others say 400, Redis for its size (redis-rest.md 11), Vector for what it is."""
    body = b"x" * (50 * MEGABYTE)
    path = f"/v2/publish/{destination.url('/large')}" if isinstance(server, QStashServer) else json_paths(server)[0]
    answer = raw_request(server.url, target=path, body=body, token=server.token)
    assert answer.status == (413 if isinstance(server, QStashServer) else 400), answer
    assert answer.error
    flows(server, destination)


def test_paths_lead_nowhere_else(server: Server, destination: Destination) -> None:
    """No file, no other route; 4xx and JSON."""
    for path, method in itertools.product(PATH_TRICKS, ("GET", "POST", "DELETE")):
        answer = raw_request(server.url, method, path, b"{}", token=server.token)
        assert 400 <= answer.status < 500, (method, path[:60], answer)
        assert b"root:" not in answer.body
        assert b"sig_" not in answer.body
    flows(server, destination)


def test_what_is_not_http_is_refused(server: Server, destination: Destination) -> None:
    """400 or a closed connection, never an answer to a request that was not made."""
    for data in (*NOT_HTTP, AMBIGUOUS):
        answer = raw_bytes(server.url, data)
        assert answer.status in {0, 400, 401, 505}, (data[:40], answer)
        assert answer.body.count(b"HTTP/1.1") <= 1
    flows(server, destination)


def test_headers_without_end_are_refused(server: Server, destination: Destination) -> None:
    """One of a megabyte, and ten thousand small ones."""
    for headers in ((f"X-Large: {'x' * MEGABYTE}",), tuple(f"X-{number}: x" for number in range(50_000))):
        answer = raw_request(server.url, "GET", "/", b"", headers, token=server.token)
        assert answer.status in {0, 400, 404, 431}, answer
    flows(server, destination)


def test_a_wrong_token_is_401_before_anything_is_read(server: Server, destination: Destination) -> None:
    """Also with a body that is no JSON, and with a token that is no text."""
    for token in ("", "wrong", "\xff\xfe", "x" * 10_000):
        answer = raw_request(server.url, target=json_paths(server)[0], body=DEEP, token=token)
        assert answer.status == 401, answer
        assert answer.error
    flows(server, destination)


def test_half_a_request_holds_nobody_up(server: Server, destination: Destination) -> None:
    """Its connection is simply still open."""
    head = f"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\nContent-Length: 1000000\r\n\r\n"
    half = f"{head}[".encode()
    with held_open(server.url, half, 50):
        flows(server, destination)


def publish(server: QStashServer, url: str, **headers: str) -> RawAnswer:
    """Publish with headers, underscores for dashes."""
    lines = tuple(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())
    return raw_request(server.url, target=f"/v2/publish/{url}", body=b"x", headers=lines, token=server.token)


@pytest.mark.parametrize(
    "headers",
    [
        {"Upstash_Retries": "-1"},
        {"Upstash_Retries": "9" * 400},
        {"Upstash_Delay": "-5s"},
        {"Upstash_Delay": "9" * 400 + "d"},
        {"Upstash_Not_Before": "soon"},
        {"Upstash_Timeout": "0x10"},
        {"Upstash_Method": "CONNECT"},
        {"Upstash_Callback": "file:///etc/passwd"},
        {"Upstash_Failure_Callback": "gopher://x/"},
        {"Upstash_Flow_Control_Key": "k", "Upstash_Flow_Control_Value": "rate=nan"},
        {"Upstash_Redact_Fields": "everything"},
    ],
    ids=str,
)
def test_bad_options_are_refused(
    qstash_process: QStashServer, destination: Destination, headers: dict[str, str]
) -> None:
    """400, or 412 over a limit of the plan."""
    answer = publish(qstash_process, destination.url("/options"), **headers)
    assert answer.status in {400, 412}, answer
    assert answer.error
    flows(qstash_process, destination)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://", "http://[", "http://a b/", "http://127.0.0.1:99999/", "ftp://a/", "a:b@c"]
)
def test_a_bad_destination_is_refused(qstash_process: QStashServer, destination: Destination, url: str) -> None:
    """400, or 404 where it reads as the name of a group."""
    answer = publish(qstash_process, url.replace(" ", "%20"))
    if answer.status == 200:  # a blank may be written as %20; then it is the destination that fails
        assert "a b" in url
    else:
        assert answer.status in {400, 404}, answer
    flows(qstash_process, destination)


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_a_hostile_destination_fails_and_nobody_waits(
    qstash_server: QStashServer, destination: Destination, behaviour: str
) -> None:
    """Its messages end in time, with what is known of the answer; ordinary ones flow meanwhile."""
    count = 20
    with HostileEndpoints() as endpoints:
        for _ in range(count):
            answer = publish(qstash_server, endpoints.url(behaviour), Upstash_Timeout="1s", Upstash_Retries="0")
            assert answer.status == 200
        flows(qstash_server, destination)
        qstash_server.wait_until_idle(limit_seconds=20)
        assert endpoints.calls[behaviour] == count
    dead = qstash_server.call("GET", "/v2/dlq?count=100")["messages"]
    delivered = qstash_server.counters()["delivered"]
    assert (len(dead), delivered) == ((0, count + 1) if behaviour == "streams for ever" else (count, 1))
    assert all(len(json.dumps(entry)) < 2 * MEGABYTE for entry in dead)


@pytest.mark.parametrize(
    "body",
    [
        b'{"vector": [NaN], "topK": 1}',
        b'{"vector": [1e999], "topK": 1}',
        b'{"vector": "x", "topK": 1}',
        b'{"data": "x", "topK": 1e999}',
        b'{"data": "x", "topK": -1}',
        b'{"data": ["x"], "topK": 1}',
    ],
)
def test_numbers_that_are_none_are_refused(vector_process: VectorServer, destination: Destination, body: bytes) -> None:
    """400, or 422 where the form is right."""
    path = "/query-data" if b"data" in body else "/query"
    answer = raw_request(vector_process.url, target=path, body=body, token=vector_process.token)
    assert answer.status in {400, 422}, answer
    assert answer.error
    flows(vector_process, destination)


@pytest.mark.parametrize(
    "body",
    [
        b'["SHUTDOWN"]',
        b'["CONFIG", "SET", "dir", "/"]',
        b'["DEBUG", "SLEEP", "9"]',
        b'["BLPOP", "l", "0"]',
        b'["EVAL", "while true do end return redis.call(\'SHUTDOWN\')", "x"]',
        b'["SET", "k", null]',
        b'["SET", {"k": 1}, "v"]',
        b'[["GET", "k"]]',
        b'["G\\r\\nET", "k"]',
        b'["MULTI"]',
    ],
)
def test_dangerous_and_malformed_commands_are_refused(
    redis_process: RedisServer, destination: Destination, body: bytes
) -> None:
    """400 with the server's own kind of text."""
    answer = raw_request(redis_process.url, body=body, token=redis_process.token)
    assert answer.status == 400, answer
    assert str(answer.error).startswith(("ERR", "NOPERM"))
    flows(redis_process, destination)
