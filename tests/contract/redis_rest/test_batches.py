"""Pipelines and transactions, over raw HTTP (redis-rest.md 7)."""

import asyncio

import httpx
import pytest

from tests.contract.redis_rest.local_redis import TOKEN, LocalRedis


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
