"""What the bridge adds to the service: readiness, counters, faults."""

import time
from typing import Any

import httpx
import pytest

from tests.contract.redis_rest.local_redis import LocalRedis


def counters(redis: LocalRedis) -> dict[str, Any]:
    reading: dict[str, Any] = redis.http.get("/admin/counters").json()
    return reading


def plan(redis: LocalRedis, **fields: Any) -> None:
    answer = redis.http.post("/admin/faults", json=fields)
    assert answer.status_code == 200, answer.text


def test_readiness_needs_no_token(redis: LocalRedis) -> None:
    answer = httpx.get(f"{redis.url}/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_reading_the_counters_changes_nothing(redis: LocalRedis) -> None:
    before = counters(redis)
    httpx.get(f"{redis.url}/readyz")
    assert counters(redis) == before


def test_the_counters_report_requests_commands_and_calls_inside_scripts(redis: LocalRedis) -> None:
    """The figures that a cost test compares (redis-rest.md 11)."""
    before = counters(redis)
    redis.command("EVAL", "redis.call('SET', KEYS[1], 1) return redis.call('INCR', KEYS[1])", "1", "k")
    redis.post([["GET", "k"], ["GET", "k"]], "/pipeline")
    redis.post([["GET", "k"], ["DEL", "k"]], "/multi-exec")
    after = counters(redis)
    grown = {name: after[name] - before[name] for name in ("http_requests", "commands_received", "commands_executed")}
    assert grown == {"http_requests": 3, "commands_received": 5, "commands_executed": 7}
    by_command = {
        name: count - before["executed_by_command"].get(name, 0)
        for name, count in after["executed_by_command"].items()
        if count != before["executed_by_command"].get(name, 0)
    }
    assert by_command == {"eval": 1, "set": 1, "incr": 1, "get": 3, "del": 1}


def test_the_counters_need_the_token(redis: LocalRedis) -> None:
    assert httpx.get(f"{redis.url}/admin/counters").status_code == 401


def test_a_dropped_reply_belongs_to_a_command_that_ran(redis: LocalRedis) -> None:
    plan(redis, drop_replies=1)
    with pytest.raises(httpx.RemoteProtocolError):
        redis.post(["INCR", "n"])
    assert redis.command("INCR", "n") == 2


def test_a_refused_command_did_not_run(redis: LocalRedis) -> None:
    plan(redis, refuse=2)
    assert redis.post(["INCR", "n"]).status_code == 503
    assert redis.post([["INCR", "n"]], "/multi-exec").json()["error"].startswith("ERR ")
    assert redis.command("INCR", "n") == 1


def test_replies_can_be_delayed(redis: LocalRedis) -> None:
    plan(redis, delay_seconds=0.2, delay_replies=1)
    began = time.monotonic()
    redis.command("PING")
    assert time.monotonic() - began >= 0.2
    assert redis.http.get("/admin/faults").json()["delay_replies"] == 0
    plan(redis)


def test_faults_can_be_aimed_at_commands(redis: LocalRedis) -> None:
    """Others pass unharmed, and so many of them that come first."""
    plan(redis, refuse=1, commands=["incr"], spare=1)
    assert redis.command("PING") == "PONG"
    assert redis.command("INCR", "n") == 1
    assert redis.post([["PING"], ["INCR", "n"]], "/pipeline").status_code == 503


@pytest.mark.parametrize(
    "body", ['{"nosuch": 1}', '{"refuse": -1}', '{"refuse": true}', '{"commands": "GET"}', "[]", "x"]
)
def test_a_wrong_fault_plan_is_refused(redis: LocalRedis, body: str) -> None:
    answer = redis.http.post("/admin/faults", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("ERR ")


def test_scan_fills_its_pages(redis: LocalRedis) -> None:
    """About COUNT matching keys at a time, and every key once (redis-rest.md 9)."""
    wanted = {f"wanted:{number}" for number in range(40)}
    redis.post([["SET", key, "v"] for key in wanted] + [["SET", f"other:{n}", "v"] for n in range(2000)], "/pipeline")
    before = counters(redis)
    found: list[str] = []
    cursor = "0"
    pages = 0
    while cursor != "0" or not pages:
        cursor, keys = redis.command("SCAN", cursor, "MATCH", "wanted:*", "COUNT", "10")
        assert len(keys) >= 10 or cursor == "0"
        found += keys
        pages += 1
    assert sorted(found) == sorted(wanted)
    assert pages <= 4
    assert counters(redis)["commands_executed"] - before["commands_executed"] == pages


def test_scan_fills_its_pages_in_a_pipeline_too(redis: LocalRedis) -> None:
    """Beside members that need nothing of the kind; without a filter the server's page is the page."""
    redis.post([["SET", f"other:{n}", "v"] for n in range(500)] + [["SADD", "set", "m"]], "/pipeline")
    answer = redis.post(
        [["PING"], ["SCAN", "0", "TYPE", "set"], ["SCAN", "0"], ["SCAN", "x", "MATCH", "y"]], "/pipeline"
    )
    pong, by_type, unfiltered, wrong = answer.json()
    assert pong == {"result": "PONG"}
    assert by_type == {"result": ["0", ["set"]]}
    assert unfiltered["result"][0] != "0"
    assert wrong["error"].startswith("ERR ")
