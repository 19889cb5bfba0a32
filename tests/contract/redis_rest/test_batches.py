"""Pipelines and transactions, over raw HTTP (redis-rest.md 7)."""

import asyncio

import httpx
import pytest

from tests.contract.redis_rest.local_redis import TOKEN, LocalRedis


def test_a_failing_member_does_not_stop_a_pipeline(redis: LocalRedis) -> None:
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
@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'["GET","k"]', b"[[]]", b'[["GET","k"],[]]', b'[["GET",null]]', b"x", b""]
)
def test_a_malformed_batch_is_an_error_and_runs_nothing(redis: LocalRedis, path: str, body: bytes) -> None:
    answer = redis.http.post(path, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("ERR ")


@pytest.mark.parametrize(
    "wrong", [["GET"], ["NOSUCH"], ["BLPOP", "a", "0"], ["SET", "k" * 40_000, "v"], ["MULTI"], ["EXEC"], ["DISCARD"]]
)
def test_a_transaction_with_a_refused_member_runs_nothing(redis: LocalRedis, wrong: list[str]) -> None:
    answer = redis.post([["SET", "a", "1"], wrong, ["SET", "b", "1"]], "/multi-exec")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("ERR ")
    assert redis.command("EXISTS", "a", "b") == 0


def test_a_runtime_failure_does_not_roll_a_transaction_back(redis: LocalRedis) -> None:
    redis.command("SET", "k", "v")
    answer = redis.post([["SET", "a", "1"], ["LPUSH", "k", "1"], ["SET", "b", "1"]], "/multi-exec")
    assert answer.status_code == 200
    first, failed, last = answer.json()
    assert (first, last) == ({"result": "OK"}, {"result": "OK"})
    assert failed["error"].startswith("WRONGTYPE ")
    assert redis.command("EXISTS", "a", "b") == 2


def test_what_the_bridge_answers_itself_keeps_its_place_in_a_transaction(redis: LocalRedis) -> None:
    answer = redis.post([["INCR", "n"], ["CLIENT", "SETINFO", "LIB-NAME", "x"], ["INCR", "n"]], "/multi-exec")
    assert answer.json() == [{"result": 1}, {"result": "OK"}, {"result": 2}]


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


async def test_concurrent_requests_get_their_own_replies(redis: LocalRedis) -> None:
    async with httpx.AsyncClient(base_url=redis.url, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        answers = await asyncio.gather(*[client.post("/", json=["ECHO", str(number)]) for number in range(200)])
    assert [answer.json()["result"] for answer in answers] == [str(number) for number in range(200)]


@pytest.mark.parametrize("path", ["/", "/pipeline", "/multi-exec", "/get/k", "/nosuch"])
def test_every_answer_has_a_new_sync_token(redis: LocalRedis, path: str) -> None:
    seen = set()
    for _ in range(3):
        body = [["SET", "k", "v"]] if path in ("/pipeline", "/multi-exec") else ["SET", "k", "v"]
        answer = redis.post(body, path, Upstash_Sync_Token="whatever")
        seen.add(answer.headers["upstash-sync-token"])
    assert len(seen) == 3
    assert all(seen)
