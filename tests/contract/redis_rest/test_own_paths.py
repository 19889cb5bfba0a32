"""What the bridge adds to the service: readiness, counters, faults, full pages of SCAN."""

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


def test_readiness_needs_no_token_and_changes_no_counter(redis: LocalRedis) -> None:
    """Which does, and two readings in a row are equal."""
    before = counters(redis)
    answer = httpx.get(f"{redis.url}/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    assert counters(redis) == before
    assert httpx.get(f"{redis.url}/admin/counters").status_code == 401


def test_the_counters_report_requests_commands_and_calls_inside_scripts(redis: LocalRedis) -> None:
    """The figures that a cost test compares (redis-rest.md 11)."""
    before = counters(redis)
    redis.command("EVAL", "redis.call('SET', KEYS[1], 1) return redis.call('INCR', KEYS[1])", "1", "k", "x" * 40_000)
    redis.post([["GET", "k"], ["GET", "k"]], "/pipeline")
    redis.post([["GET", "k"], ["DEL", "k"]], "/multi-exec")
    after = counters(redis)
    assert after["bytes_received"] - before["bytes_received"] == len("k") * 5 + 40_000
    assert after["bytes_sent"] > before["bytes_sent"]
    assert after["server_run_id"]
    grown = {name: after[name] - before[name] for name in ("http_requests", "commands_received", "commands_executed")}
    assert grown == {"http_requests": 3, "commands_received": 5, "commands_executed": 7}
    known = before["executed_by_command"]
    by_command = {name: count - known.get(name, 0) for name, count in after["executed_by_command"].items()}
    expected = {"eval": 1, "set": 1, "incr": 1, "get": 3, "del": 1}
    assert {name: count for name, count in by_command.items() if count} == expected


def test_a_dropped_reply_belongs_to_a_command_that_ran(redis: LocalRedis) -> None:
    plan(redis, drop=1)
    with pytest.raises(httpx.RemoteProtocolError):
        redis.post(["INCR", "n"])
    assert redis.command("INCR", "n") == 2


def test_a_refused_command_did_not_run(redis: LocalRedis) -> None:
    """503 in JSON, as many times as planned; batches are struck as one."""
    plan(redis, refuse=2)
    assert redis.post(["INCR", "n"]).status_code == 503
    assert redis.post([["INCR", "n"]], "/multi-exec").json()["error"].startswith("ERR ")
    assert redis.command("INCR", "n") == 1


def test_faults_can_be_aimed_at_commands(redis: LocalRedis) -> None:
    """Others pass unharmed, and so many of them that come first; what is no plan is refused."""
    plan(redis, refuse=1, only=["incr"], spare=1)
    assert redis.command("PING") == "PONG"
    assert redis.command("INCR", "n") == 1
    assert redis.post([["PING"], ["INCR", "n"]], "/pipeline").status_code == 503
    answer = redis.http.post("/admin/faults", content='{"refuse": true}')
    assert (answer.status_code, answer.json()["error"][:4]) == (400, "ERR ")


def test_replies_can_be_delayed(redis: LocalRedis) -> None:
    plan(redis, delay_seconds=0.2, delay=1)
    began = time.monotonic()
    redis.command("PING")
    assert time.monotonic() - began >= 0.2
    assert redis.http.get("/admin/faults").json()["delay"] == 0
    plan(redis)


def test_scan_fills_its_pages(redis: LocalRedis) -> None:
    """About COUNT matching keys at a time, and every key once (redis-rest.md 9)."""
    wanted = {f"wanted:{number}" for number in range(40)}
    redis.post([["SET", key, "v"] for key in wanted] + [["SET", f"other:{n}", "v"] for n in range(2000)], "/pipeline")
    before, found, cursor, pages = counters(redis), list[str](), "0", 0
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
    members = [["PING"], ["SCAN", "0", "TYPE", "set"], ["SCAN", "0"], ["SCAN", "x", "MATCH", "y"]]
    pong, by_type, unfiltered, wrong = redis.post(members, "/pipeline").json()
    assert (pong, by_type) == ({"result": "PONG"}, {"result": ["0", ["set"]]})
    assert unfiltered["result"][0] != "0"
    assert wrong["error"].startswith("ERR ")
