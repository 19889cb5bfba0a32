"""Commands as JSON arrays, over raw HTTP (redis-rest.md 1, 3)."""

import pytest

from tests.contract.redis_rest.local_redis import LocalRedis


def test_no_content_type_is_needed(redis: LocalRedis) -> None:
    answer = redis.http.post("/", content=b'["PING"]')
    assert answer.json() == {"result": "PONG"}
    assert answer.headers["content-type"] == "application/json"


def test_the_name_may_be_in_any_case(redis: LocalRedis) -> None:
    assert redis.command("pInG") == "PONG"
    assert redis.error("bLpOp", "k", "0").startswith("ERR ")


@pytest.mark.parametrize(
    "body",
    [
        b"{}", b"[]", b'"PING"', b"[[]]", b'[["PING"]]', b"[null]", b'["ECHO",null]', b'["ECHO",{}]', b'["ECHO",[1]]',
        b'["ECHO",NaN]', b"[1]", b'[""]', b"[true]", b"not json", b'["PING"', b'["\xff"]', b"[" * 100_000, b"",
    ],
)  # fmt: skip
def test_what_is_no_command_is_an_error_in_json(redis: LocalRedis, body: bytes) -> None:
    answer = redis.http.post("/", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("ERR ")
    assert redis.command("PING") == "PONG"


def test_the_servers_own_error_is_passed_on_with_its_code(redis: LocalRedis) -> None:
    redis.command("SET", "k", "v")
    assert redis.error("LPUSH", "k", "1").startswith("WRONGTYPE ")
    assert redis.error("EVALSHA", "0" * 40, "0").startswith("NOSCRIPT ")
    assert redis.error("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">").startswith("NOGROUP ")
    assert redis.error("EVAL", "return redis.error_reply('FENCED by 7')", "0") == "FENCED by 7"
    assert "unknown command" in redis.error("NOSUCH")
    assert "wrong number of arguments" in redis.error("GET")


def test_nothing_but_the_token_opens(redis: LocalRedis) -> None:
    for headers in ({"Authorization": "Bearer wrong"}, {"Authorization": "Basic standard"}, {"Authorization": ""}):
        answer = redis.http.post("/", content=b"not json", headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {"error": "WRONGPASS invalid or missing auth token"}
    assert redis.http.post("/", json=["PING"], headers={"Authorization": "bEaReR standard"}).status_code == 200
