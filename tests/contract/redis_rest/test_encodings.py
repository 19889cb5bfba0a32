"""base64, resp2 and plain JSON (redis-rest.md 3 to 5)."""

import pytest

from tests.contract.redis_rest.local_redis import LocalRedis

BASE64 = {"Upstash-Encoding": "base64"}


def test_empty_strings_and_arrays(redis: LocalRedis) -> None:
    redis.command("SET", "k", "")
    for headers in ({}, BASE64):
        assert redis.http.post("/", json=["GET", "k"], headers=headers).json() == {"result": ""}
        assert redis.http.post("/", json=["KEYS", "x*"], headers=headers).json() == {"result": []}


def test_a_hash_stays_a_flat_array_and_a_score_a_string(redis: LocalRedis) -> None:
    redis.command("HSET", "h", "f", "v")
    redis.command("ZADD", "z", "1.5", "m", "inf", "n")
    assert redis.command("HGETALL", "h") == ["f", "v"]
    assert redis.command("ZRANGE", "z", 0, -1, "WITHSCORES") == ["m", "1.5", "n", "inf"]


def test_lua_values_become_what_the_service_makes_of_them(redis: LocalRedis) -> None:
    assert redis.command("EVAL", "return {3.99, true, false, -2.5}", "0") == [3, 1, None, -2]


@pytest.mark.parametrize(
    ("command", "status", "body"),
    [
        (["SET", "k", "bar"], 200, b"+OK\r\n"),
        (["ECHO", "bar"], 200, b"$3\r\nbar\r\n"),
        (["STRLEN", "none"], 200, b":0\r\n"),
        (["GET", "none"], 200, b"$-1\r\n"),
        (["MGET", "none"], 200, b"*1\r\n$-1\r\n"),
    ],
)
def test_resp2_is_the_raw_reply(redis: LocalRedis, command: list[str], status: int, body: bytes) -> None:
    answer = redis.post(command, Upstash_Response_Format="resp2")
    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers["content-type"] == "application/octet-stream"


def test_resp2_errors_keep_their_status(redis: LocalRedis) -> None:
    answer = redis.post(["NOSUCH"], Upstash_Response_Format="resp2")
    assert answer.status_code == 400
    assert answer.content.startswith(b"-ERR unknown command")


def test_resp2_in_a_pipeline_is_concatenated_and_in_a_transaction_ignored(redis: LocalRedis) -> None:
    batch = [["SET", "k", "v"], ["GET", "k"]]
    assert redis.post(batch, "/pipeline", Upstash_Response_Format="resp2").content == b"+OK\r\n$1\r\nv\r\n"
    transaction = redis.post(batch, "/multi-exec", Upstash_Response_Format="resp2")
    assert transaction.json() == [{"result": "OK"}, {"result": "v"}]
