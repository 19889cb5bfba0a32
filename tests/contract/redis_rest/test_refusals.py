"""What is not served over REST (redis-rest.md 9), and the limits (11)."""

import pytest

from tests.contract.redis_rest.local_redis import LocalRedis

REFUSED = [
    "BLPOP k 0", "BRPOP k 0", "BRPOPLPUSH a b 0", "BLMOVE a b LEFT LEFT 0", "BLMPOP 0 1 k LEFT", "BZPOPMIN k 0",
    "BZPOPMAX k 0", "BZMPOP 0 1 k MIN", "XREAD BLOCK 0 STREAMS s $", "XREAD COUNT 1 block 0 STREAMS s $",
    "XREADGROUP GROUP g c BLOCK 0 STREAMS s >", "WATCH k", "UNWATCH", "MULTI", "EXEC", "DISCARD", "SUBSCRIBE c",
    "PSUBSCRIBE c", "SSUBSCRIBE c", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "MONITOR", "AUTH x", "HELLO 3",
    "SELECT 1", "QUIT", "RESET", "SHUTDOWN", "DEBUG SLEEP 1", "REPLICAOF a 1", "SLAVEOF a 1", "SYNC", "PSYNC a 1",
    "CLUSTER INFO", "MODULE LIST", "SAVE", "BGSAVE", "BGREWRITEAOF", "CONFIG SET maxmemory 1", "CLIENT PAUSE 1",
    "CLIENT KILL 1.1.1.1:1", "CLIENT REPLY OFF", "CLIENT TRACKING ON", "CLIENT SETNAME x", "CLIENT NO-EVICT ON",
    "CLIENT", "SCRIPT DEBUG YES", "ACL SETUSER x", "ACL RESTTOKEN a b", "READONLY", "FAILOVER",
]  # fmt: skip


@pytest.mark.parametrize("command", REFUSED)
def test_a_command_that_would_endanger_the_shared_connection_is_refused(redis: LocalRedis, command: str) -> None:
    name = command.split(maxsplit=1)[0]
    assert name in redis.error(*command.split())
    assert redis.command("PING") == "PONG"


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("BLPOP k 0", "blocking"), ("XREAD BLOCK 0 STREAMS a 0", "with BLOCK"), ("WATCH k", "multi-exec"),
        ("SUBSCRIBE c", "/subscribe"), ("HELLO 3", "connection"), ("CLIENT kill x", "KILL"), ("CLIENT", "connection"),
        ("CONFIG set a b", "SET"), ("ACL RESTTOKEN a b", "RESTTOKEN"), ("SHUTDOWN", "endanger"),
    ],
)  # fmt: skip
def test_a_refusal_says_why(redis: LocalRedis, command: str, word: str) -> None:
    assert word in redis.error(*command.split())


@pytest.mark.parametrize(
    "command",
    ["XREAD COUNT 1 STREAMS BLOCK 0", "GET BLPOP", "CONFIG GET maxmemory", "CLIENT LIST", "CLIENT SETINFO LIB-NAME x",
     "ACL WHOAMI", "FUNCTION LIST", "EVAL_RO return(1) 0", "WAIT 0 100"],
)  # fmt: skip
def test_everything_else_passes(redis: LocalRedis, command: str) -> None:
    """Also a key that is called like a refused option."""
    answer = redis.post(command.split())
    assert answer.status_code == 200, answer.text


def test_waitaof_answers_for_writes_that_came_before(redis: LocalRedis) -> None:
    """It blocks, so it runs on a connection of its own, and still means something there."""
    redis.command("SET", "k", "v")
    assert redis.command("WAITAOF", "1", "0", "5000") == [1, 0]
    assert redis.command("KEYS", "*") == ["k"]
    assert redis.post([["SET", "a", "1"], ["WAITAOF", "1", "0", "5000"], ["GET", "a"]], "/pipeline").json() == [
        {"result": "OK"}, {"result": [1, 0]}, {"result": "1"},
    ]  # fmt: skip


def test_a_body_of_ten_megabytes_is_taken_and_a_larger_one_refused(redis: LocalRedis) -> None:
    limit = 10 * 1024 * 1024
    value = b"x" * (limit - len('["SET","k",""]'))
    assert redis.http.post("/", content=b'["SET","k","' + value + b'"]').json() == {"result": "OK"}
    assert redis.http.post("/", json=["GET", "k"]).json()["result"] == value.decode()
    answer = redis.http.post("/", content=b'["SET","k","' + value + b'x"]')
    expected = f"ERR max request size exceeded. Limit: {limit} bytes, Actual: {limit + 1} bytes"
    assert (answer.status_code, answer.json()["error"][: len(expected)]) == (400, expected)


def test_a_key_longer_than_32_kilobytes_is_refused(redis: LocalRedis) -> None:
    key, limit = "k" * 32_769, 32_768
    for command in (
        ("SET", key, "v"),
        ("MSET", "a", "1", key, "2"),
        ("EVAL", "return 1", "2", "a", key),
        ("XREAD", "STREAMS", key, "0"),
        ("ZUNIONSTORE", "a", "1", key),
    ):
        assert redis.error(*command) == f"ERR max key size exceeded. Limit: {limit} bytes, Actual: {limit + 1} bytes"
    assert redis.command("SET", key[:-1], key) == "OK"
    assert redis.command("EVAL", "return #ARGV[1]", "1", "k", key) == limit + 1
    assert redis.command("MSET", "a", key, "b", key) == "OK"


def test_a_read_only_token_may_only_read(redis: LocalRedis) -> None:
    """Writes, scripts that may write, KEYS and SCAN are refused; so are the bridge's own paths."""
    reader = {"Authorization": "Bearer reader"}
    redis.command("SET", "k", "v")
    for command in ("GET k", "PING", "EVAL_RO return(1) 0", "TTL k", "OBJECT ENCODING k"):
        assert redis.http.post("/", json=command.split(), headers=reader).status_code == 200
    for command in ("SET k w", "EVAL return(1) 0", "KEYS *", "SCAN 0", "SCRIPT FLUSH", "NOSUCH", "CONFIG GET *"):
        answer = redis.http.post("/", json=command.split(), headers=reader)
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("NOPERM ")
    batch = [["SET", "k", "w"], ["GET", "k"]]
    assert redis.http.post("/pipeline", json=batch, headers=reader).json()[1] == {"result": "v"}
    assert redis.http.post("/multi-exec", json=batch, headers=reader).status_code == 400
    assert redis.http.post("/monitor", headers=reader).json()["error"].startswith("NOPERM ")
    assert redis.http.get("/admin/counters", headers=reader).json()["error"].startswith("NOPERM ")
