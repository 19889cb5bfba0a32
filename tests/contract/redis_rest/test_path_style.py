"""Commands in the path, over raw HTTP (redis-rest.md 1)."""

import httpx
import pytest

from tests.contract.redis_rest.local_redis import TOKEN, LocalRedis


def test_the_body_and_then_the_query_follow_the_path(redis: LocalRedis) -> None:
    assert redis.http.post("/set/foo?EX=100", content=b"V").json() == {"result": "OK"}
    assert redis.command("GET", "foo") == "V"
    assert 0 < redis.command("TTL", "foo") <= 100


def test_a_query_name_without_a_value_is_one_argument(redis: LocalRedis) -> None:
    assert redis.http.post("/set/foo?NX", content=b"1").json() == {"result": "OK"}
    assert redis.http.post("/set/foo?NX", content=b"2").json() == {"result": None}
    assert redis.command("GET", "foo") == "1"


def test_the_token_may_be_in_the_query_and_is_no_argument(redis: LocalRedis) -> None:
    answer = httpx.get(f"{redis.url}/set/k/v", params={"_token": TOKEN, "EX": "100"})
    assert (answer.status_code, answer.json()) == (200, {"result": "OK"})
    assert redis.command("GET", "k") == "v"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_every_method_runs_a_command(redis: LocalRedis, method: str) -> None:
    assert redis.http.request(method, "/echo/hi").json() == {"result": "hi"}


def test_head_runs_the_command_and_sends_no_body(redis: LocalRedis) -> None:
    answer = redis.http.head("/set/k/v")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(b'{"result":"OK"}'))
    assert redis.command("GET", "k") == "v"


def test_other_methods_are_not_allowed(redis: LocalRedis) -> None:
    answer = redis.http.delete("/get/k")
    assert answer.status_code == 405
    assert "DELETE" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/", ""])
def test_no_command_is_an_error(redis: LocalRedis, path: str) -> None:
    answer = redis.http.get(path)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("ERR ")
