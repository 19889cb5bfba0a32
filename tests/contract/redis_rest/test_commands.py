"""Commands as JSON arrays and in the path, and the forms of answers, over raw HTTP (redis-rest.md 1 to 5)."""

import httpx
import pytest

from tests.contract.redis_rest.local_redis import TOKEN, LocalRedis

BASE64 = {"Upstash-Encoding": "base64"}


def test_no_content_type_is_needed_and_the_name_may_be_in_any_case(redis: LocalRedis) -> None:
    answer = redis.http.post("/", content=b'["pInG"]')
    assert answer.json() == {"result": "PONG"}
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("body", [b"{}", b"[]", b'["ECHO",null]', b'["PING"', b"[" * 100_000, b""])
def test_what_is_no_command_is_an_error_in_json(redis: LocalRedis, body: bytes) -> None:
    """400, and the bridge goes on."""
    answer = redis.http.post("/", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("ERR ")
    assert redis.command("PING") == "PONG"


def test_the_servers_own_error_is_passed_on_with_its_code(redis: LocalRedis) -> None:
    """Callers match on the first word."""
    redis.command("SET", "k", "v")
    assert redis.error("LPUSH", "k", "1").startswith("WRONGTYPE ")
    assert redis.error("EVAL", "return redis.error_reply('FENCED by 7')", "0") == "FENCED by 7"
    assert "unknown command" in redis.error("NOSUCH")


def test_nothing_but_the_token_opens(redis: LocalRedis) -> None:
    """401 in JSON, checked before the body is read."""
    for headers in ({"Authorization": "Bearer wrong"}, {"Authorization": "Basic standard"}, {"Authorization": ""}):
        answer = redis.http.post("/", content=b"not json", headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {"error": "WRONGPASS invalid or missing auth token"}
    assert redis.http.post("/", json=["PING"], headers={"Authorization": "bEaReR standard"}).status_code == 200


def test_the_body_and_then_the_query_follow_the_path(redis: LocalRedis) -> None:
    """A query name without a value is one argument; `_token` authenticates and is then left out."""
    assert redis.http.post("/set/foo?NX&EX=100", content=b"1").json() == {"result": "OK"}
    assert redis.http.post("/set/foo?NX", content=b"2").json() == {"result": None}
    assert 0 < redis.command("TTL", "foo") <= 100
    answer = httpx.get(f"{redis.url}/set/foo/v", params={"_token": TOKEN, "EX": "100"})
    assert (answer.status_code, answer.json()) == (200, {"result": "OK"})
    assert redis.command("GET", "foo") == "v"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "HEAD"])
def test_these_methods_run_a_command(redis: LocalRedis, method: str) -> None:
    """HEAD with the headers of GET, and without a body."""
    answer = redis.http.request(method, "/set/k/v")
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(b'{"result":"OK"}')))
    assert answer.content == (b"" if method == "HEAD" else b'{"result":"OK"}')
    assert redis.command("GET", "k") == "v"


@pytest.mark.parametrize(("method", "path", "status"), [("DELETE", "/get/k", 405), ("GET", "/", 400), ("GET", "", 400)])
def test_other_methods_and_no_command_are_errors(redis: LocalRedis, method: str, path: str, status: int) -> None:
    answer = redis.http.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"].startswith("ERR ")


def test_json_keeps_what_it_can_of_each_reply(redis: LocalRedis) -> None:
    """Empty is not null; hashes stay flat arrays and scores strings, which SDKs reshape; Lua's numbers are cut."""
    redis.command("SET", "k", "")
    redis.command("HSET", "h", "f", "v")
    redis.command("ZADD", "z", "1.5", "m", "inf", "n")
    for headers in ({}, BASE64):
        assert redis.http.post("/", json=["GET", "k"], headers=headers).json() == {"result": ""}
        assert redis.http.post("/", json=["KEYS", "x*"], headers=headers).json() == {"result": []}
    assert redis.command("HGETALL", "h") == ["f", "v"]
    assert redis.command("ZRANGE", "z", 0, -1, "WITHSCORES") == ["m", "1.5", "n", "inf"]
    assert redis.command("EVAL", "return {3.99, true, false, -2.5}", "0") == [3, 1, None, -2]


@pytest.mark.parametrize(
    ("command", "status", "body"),
    [
        (["SET", "k", "bar"], 200, b"+OK\r\n"),
        (["ECHO", "bar"], 200, b"$3\r\nbar\r\n"),
        (["MGET", "none"], 200, b"*1\r\n$-1\r\n"),
        (["NOSUCH"], 400, b"-ERR unknown command"),
    ],
)
def test_resp2_is_the_raw_reply(redis: LocalRedis, command: list[str], status: int, body: bytes) -> None:
    answer = redis.post(command, Upstash_Response_Format="resp2")
    assert (answer.status_code, answer.content[: len(body)]) == (status, body)
    assert answer.headers["content-type"] == "application/octet-stream"


def test_resp2_in_a_pipeline_is_concatenated_and_in_a_transaction_ignored(redis: LocalRedis) -> None:
    batch = [["SET", "k", "v"], ["GET", "k"]]
    assert redis.post(batch, "/pipeline", Upstash_Response_Format="resp2").content == b"+OK\r\n$1\r\nv\r\n"
    transaction = redis.post(batch, "/multi-exec", Upstash_Response_Format="resp2")
    assert transaction.json() == [{"result": "OK"}, {"result": "v"}]
