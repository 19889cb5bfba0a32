"""base64, resp2 and plain JSON (redis-rest.md 3 to 5)."""

from base64 import b64encode

import pytest

from tests.contract.redis_rest.local_redis import LocalRedis

BASE64 = {"Upstash-Encoding": "base64"}


def encoded(text: str) -> str:
    """What a string looks like under base64."""
    return b64encode(text.encode()).decode()


def test_strings_are_encoded_at_any_depth_and_nothing_else(redis: LocalRedis) -> None:
    """Integers and null stay, also inside arrays in arrays."""
    script = "return {'a', 7, {'b', {'c', false}}, redis.status_reply('ST')}"
    answer = redis.post(["EVAL", script, "0"], Upstash_Encoding="base64")
    assert answer.json() == {"result": [encoded("a"), 7, [encoded("b"), [encoded("c"), None]], encoded("ST")]}
    assert redis.post(["GET", "none"], Upstash_Encoding="base64").json() == {"result": None}
    assert redis.post(["INCR", "n"], Upstash_Encoding="BASE64").json() == {"result": 1}


def test_ok_is_bare_only_where_it_is_the_whole_result(redis: LocalRedis) -> None:
    """JavaScript would decode a bare one inside an array to rubbish."""
    assert redis.post(["SET", "k", "v"], Upstash_Encoding="base64").json() == {"result": "OK"}
    inside = redis.post(["EVAL", "return {redis.status_reply('OK'), 'OK'}", "0"], Upstash_Encoding="base64").json()
    assert inside == {"result": ["T0s=", "T0s="]}
    for path in ("/pipeline", "/multi-exec"):
        members = redis.post([["SET", "k", "v"], ["GET", "k"]], path, Upstash_Encoding="base64").json()
        assert members == [{"result": "OK"}, {"result": encoded("v")}]


def test_other_status_replies_are_encoded(redis: LocalRedis) -> None:
    """PONG and the reply of TYPE."""
    assert redis.post(["PING"], Upstash_Encoding="base64").json() == {"result": encoded("PONG")}
    assert redis.post(["TYPE", "none"], Upstash_Encoding="base64").json() == {"result": encoded("none")}


def test_errors_are_never_encoded(redis: LocalRedis) -> None:
    """Nor are members' errors."""
    answer = redis.post(["NOSUCH"], Upstash_Encoding="base64")
    assert answer.json()["error"].startswith("ERR unknown command")
    members = redis.post([["NOSUCH"], ["PING"]], "/pipeline", Upstash_Encoding="base64").json()
    assert members[0]["error"].startswith("ERR unknown command")


def test_an_unknown_encoding_is_ignored(redis: LocalRedis) -> None:
    """Plain JSON then."""
    assert redis.post(["PING"], Upstash_Encoding="rot13").json() == {"result": "PONG"}


def test_bytes_that_are_not_utf8(redis: LocalRedis) -> None:
    """Replaced without an encoding, exact with one."""
    redis.http.post("/set/k", content=b"\xff\x00a")
    assert redis.post(["GET", "k"]).json() == {"result": "\ufffd\x00a"}
    assert redis.post(["GET", "k"], Upstash_Encoding="base64").json() == {"result": b64encode(b"\xff\x00a").decode()}


def test_empty_strings_and_arrays(redis: LocalRedis) -> None:
    """Neither becomes null."""
    redis.command("SET", "k", "")
    for headers in ({}, BASE64):
        assert redis.http.post("/", json=["GET", "k"], headers=headers).json() == {"result": ""}
        assert redis.http.post("/", json=["KEYS", "x*"], headers=headers).json() == {"result": []}


def test_a_hash_stays_a_flat_array_and_a_score_a_string(redis: LocalRedis) -> None:
    """The SDKs reshape them; RESP2 keeps doubles and maps out."""
    redis.command("HSET", "h", "f", "v")
    redis.command("ZADD", "z", "1.5", "m", "inf", "n")
    assert redis.command("HGETALL", "h") == ["f", "v"]
    assert redis.command("ZRANGE", "z", 0, -1, "WITHSCORES") == ["m", "1.5", "n", "inf"]


def test_an_error_inside_an_array_is_an_object(redis: LocalRedis) -> None:
    """Where a script nests one."""
    assert redis.command("EVAL", "return {1, {err='ERR inner'}}", "0") == [1, {"error": "ERR inner"}]


def test_lua_values_become_what_the_service_makes_of_them(redis: LocalRedis) -> None:
    """Numbers are cut, true is 1, false is null."""
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
    """As octets."""
    answer = redis.post(command, Upstash_Response_Format="resp2")
    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers["content-type"] == "application/octet-stream"


def test_resp2_errors_keep_their_status(redis: LocalRedis) -> None:
    """400 with the error line."""
    answer = redis.post(["NOSUCH"], Upstash_Response_Format="resp2")
    assert answer.status_code == 400
    assert answer.content.startswith(b"-ERR unknown command")


def test_resp2_in_a_pipeline_is_concatenated_and_in_a_transaction_ignored(redis: LocalRedis) -> None:
    """The latter answers JSON."""
    batch = [["SET", "k", "v"], ["GET", "k"]]
    assert redis.post(batch, "/pipeline", Upstash_Response_Format="resp2").content == b"+OK\r\n$1\r\nv\r\n"
    transaction = redis.post(batch, "/multi-exec", Upstash_Response_Format="resp2")
    assert transaction.json() == [{"result": "OK"}, {"result": "v"}]


def test_impossible_formats_are_refused_before_anything_runs(redis: LocalRedis) -> None:
    """Unknown format, or resp2 with base64."""
    for headers in ({"Upstash-Response-Format": "resp3"}, {"Upstash-Response-Format": "resp2", **BASE64}):
        answer = redis.http.post("/", json=["SET", "k", "v"], headers=headers)
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("ERR ")
    assert redis.command("EXISTS", "k") == 0
    assert redis.post(["PING"], Upstash_Response_Format="JSON").json() == {"result": "PONG"}
