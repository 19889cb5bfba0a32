"""Commands, pipelines and transactions, and the forms of answers, over raw HTTP (redis-rest.md 1 to 5 and 7)."""

import asyncio

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


def test_a_failing_member_does_not_stop_a_pipeline(redis: LocalRedis) -> None:
    """200, with the error in its place; refusals of the bridge's own too."""
    redis.command("SET", "k", "v")
    answer = redis.post(
        [["LPUSH", "k", "1"], ["BLPOP", "k", "0"], ["CLIENT", "SETINFO", "a", "b"], ["GET", "k"]], "/pipeline"
    )
    wrong_type, refused, answered, got = answer.json()
    assert answer.status_code == 200
    assert wrong_type["error"].startswith("WRONGTYPE ")
    assert "BLPOP" in refused["error"]
    assert (answered, got) == ({"result": "OK"}, {"result": "v"})


def test_a_pipeline_of_refusals_only_needs_no_server(redis: LocalRedis) -> None:
    answer = redis.post([["WATCH", "k"], ["SELECT", "1"]], "/pipeline").json()
    assert [list(member) for member in answer] == [["error"], ["error"]]


@pytest.mark.parametrize("path", ["/pipeline", "/multi-exec"])
@pytest.mark.parametrize("body", [b"[]", b'["GET","k"]', b'[["SET","k","v"],[]]', b"x"])
def test_a_malformed_batch_is_an_error_and_runs_nothing(redis: LocalRedis, path: str, body: bytes) -> None:
    answer = redis.http.post(path, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("ERR ")
    assert redis.command("DBSIZE") == 0


@pytest.mark.parametrize("wrong", [["GET"], ["NOSUCH"], ["BLPOP", "a", "0"], ["SET", "k" * 40_000, "v"], ["EXEC"]])
def test_a_transaction_with_a_refused_member_runs_nothing(redis: LocalRedis, wrong: list[str]) -> None:
    """400 with one error, whoever refused it."""
    answer = redis.post([["SET", "a", "1"], wrong, ["SET", "b", "1"]], "/multi-exec")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("ERR ")
    assert redis.command("EXISTS", "a", "b") == 0


def test_a_runtime_failure_does_not_roll_a_transaction_back(redis: LocalRedis) -> None:
    """And what the bridge answers itself, as it does CLIENT SETINFO, keeps its place."""
    redis.command("SET", "k", "v")
    members = [["SET", "a", "1"], ["LPUSH", "k", "1"], ["CLIENT", "SETINFO", "LIB-NAME", "x"], ["INCR", "a"]]
    answer = redis.post(members, "/multi-exec")
    first, failed, answered, last = answer.json()
    assert (answer.status_code, first, answered, last) == (200, {"result": "OK"}, {"result": "OK"}, {"result": 2})
    assert failed["error"].startswith("WRONGTYPE ")


async def test_nothing_comes_between_the_members_of_a_transaction(redis: LocalRedis) -> None:
    """One client pipelines and one runs transactions on the same counter, over one shared connection."""
    transaction = [["SET", "n", "0"], *[["INCR", "n"]] * 20]
    pipeline = [["INCRBY", "n", "1000"]] * 20
    async with httpx.AsyncClient(base_url=redis.url, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        answers = await asyncio.gather(
            *[
                client.post("/multi-exec" if turn % 2 else "/pipeline", json=transaction if turn % 2 else pipeline)
                for turn in range(40)
            ]
        )
    for answer in answers[1::2]:
        assert [member["result"] for member in answer.json()] == ["OK", *range(1, 21)]


@pytest.mark.parametrize("path", ["/", "/pipeline", "/multi-exec", "/get/k", "/nosuch"])
def test_every_answer_has_a_new_sync_token(redis: LocalRedis, path: str) -> None:
    """Errors too, and whatever token the client sends."""
    command = ["SET", "k", "v"]
    body = [command] if path in ("/pipeline", "/multi-exec") else command
    tokens = [redis.post(body, path, Upstash_Sync_Token="x").headers["upstash-sync-token"] for _ in range(3)]
    assert len(set(tokens)) == 3
    assert all(tokens)
