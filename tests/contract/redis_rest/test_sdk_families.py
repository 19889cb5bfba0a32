"""Every family of commands through the official SDK, sync and async: a success and an error each.

The SDK reshapes replies (hashes, scores, streams), so these tests would see a reply of a wrong shape.
"""

import hashlib

import pytest
from upstash_redis.errors import UpstashError

from tests.contract.redis_rest.sdk import Sdk

WRONG_TYPE = "WRONGTYPE"


async def test_strings(sdk: Sdk) -> None:
    """SET with options, MSET, ranges, counters."""
    assert await sdk.run("set", "k", "wörld 🙂", ex=100)
    assert not await sdk.run("set", "k", "other", nx=True)
    assert await sdk.run("get", "k") == "wörld 🙂"
    assert 0 < await sdk.run("ttl", "k") <= 100
    assert await sdk.run("mset", {"a": "1", "b": "OK"})
    assert await sdk.run("mget", "a", "b", "none") == ["1", "OK", None]
    assert await sdk.run("incrby", "a", 12345678901) == 12345678902
    assert await sdk.run("incrbyfloat", "f", 1.25) == 1.25
    assert await sdk.run("append", "b", "!") == 3
    assert await sdk.run("getrange", "b", 0, 1) == "OK"
    assert await sdk.run("getdel", "b") == "OK!"
    assert await sdk.run("set", "empty", "")
    assert await sdk.run("get", "empty") == ""
    with pytest.raises(UpstashError, match="not an integer"):
        await sdk.run("incr", "k")


async def test_keys(sdk: Sdk) -> None:
    """Existence, expiry, types, scanning."""
    await sdk.run("mset", {"user:1": "a", "user:2": "b", "other": "c"})
    assert await sdk.run("exists", "user:1", "none") == 1
    assert await sdk.run("expire", "user:1", 50)
    assert await sdk.run("persist", "user:1")
    assert await sdk.run("type", "other") == "string"
    assert sorted(await sdk.run("keys", "user:*")) == ["user:1", "user:2"]
    cursor, keys = await sdk.run("scan", 0, match="user:*", count=10)
    assert (cursor, sorted(keys)) == (0, ["user:1", "user:2"])
    assert await sdk.run("rename", "other", "renamed")
    assert await sdk.run("unlink", "user:1", "user:2") == 2
    with pytest.raises(UpstashError, match="no such key"):
        await sdk.run("rename", "none", "x")


async def test_hashes(sdk: Sdk) -> None:
    """Flat arrays become dicts again."""
    assert await sdk.run("hset", "h", values={"a": "1", "b": "two"}) == 2
    assert await sdk.run("hgetall", "h") == {"a": "1", "b": "two"}
    assert await sdk.run("hgetall", "none") == {}
    assert await sdk.run("hmget", "h", "a", "none") == ["1", None]
    assert await sdk.run("hincrby", "h", "a", 4) == 5
    assert await sdk.run("hexists", "h", "b")
    assert await sdk.run("hscan", "h", 0) == (0, {"a": "5", "b": "two"})
    assert await sdk.run("hdel", "h", "a", "b") == 2
    await sdk.run("set", "k", "v")
    with pytest.raises(UpstashError, match=WRONG_TYPE):
        await sdk.run("hset", "k", "a", "1")


async def test_lists(sdk: Sdk) -> None:
    """Both ends, ranges, moves."""
    assert await sdk.run("rpush", "l", "a", "b", "c") == 3
    assert await sdk.run("lpush", "l", "z") == 4
    assert await sdk.run("lrange", "l", 0, -1) == ["z", "a", "b", "c"]
    assert await sdk.run("lmove", "l", "m", "LEFT", "RIGHT") == "z"
    assert await sdk.run("lpop", "l", 2) == ["a", "b"]
    assert await sdk.run("lpos", "l", "c") == 0
    assert await sdk.run("lindex", "l", 9) is None
    assert await sdk.run("llen", "l") == 1
    await sdk.run("set", "k", "v")
    with pytest.raises(UpstashError, match=WRONG_TYPE):
        await sdk.run("lpush", "k", "a")


async def test_sets(sdk: Sdk) -> None:
    """Members and algebra."""
    assert await sdk.run("sadd", "s", "a", "b", "c") == 3
    await sdk.run("sadd", "t", "b", "d")
    assert sorted(await sdk.run("smembers", "s")) == ["a", "b", "c"]
    assert await sdk.run("sinter", "s", "t") == ["b"]
    assert sorted(await sdk.run("sdiff", "s", "t")) == ["a", "c"]
    assert await sdk.run("smismember", "s", "a", "x") == [1, 0]
    assert await sdk.run("srem", "s", "a") == 1
    await sdk.run("set", "k", "v")
    with pytest.raises(UpstashError, match=WRONG_TYPE):
        await sdk.run("sadd", "k", "a")


async def test_sorted_sets(sdk: Sdk) -> None:
    """Scores come as text and leave the SDK as floats, infinity included."""
    assert await sdk.run("zadd", "z", {"a": 1, "b": 2.5}) == 2
    await sdk.run("execute", ["ZADD", "z", "inf", "c"])
    assert await sdk.run("zrange", "z", 0, -1, withscores=True) == [("a", 1.0), ("b", 2.5), ("c", float("inf"))]
    assert await sdk.run("zscore", "z", "b") == 2.5
    assert await sdk.run("zscore", "z", "none") is None
    assert await sdk.run("zincrby", "z", 1.5, "a") == 2.5
    assert await sdk.run("zrank", "z", "a") == 0
    assert await sdk.run("zrangebyscore", "z", 2, 3) == ["a", "b"]
    assert await sdk.run("zpopmin", "z") == [("a", 2.5)]
    assert await sdk.run("zcard", "z") == 2
    with pytest.raises(UpstashError, match="not a valid float"):
        await sdk.run("execute", ["ZADD", "z", "many", "a"])


async def test_streams(sdk: Sdk) -> None:
    """Entries, groups, pending entries; nested arrays at every depth."""
    first = await sdk.run("xadd", "s", "*", {"field": "välue", "n": "1"})
    assert await sdk.run("xadd", "s", "9999999999999-0", {"field": "2"}) == "9999999999999-0"
    assert await sdk.run("xlen", "s") == 2
    entries = await sdk.run("xrange", "s", "-", "+")
    assert str(entries[0][0]) == first
    assert await sdk.run("xread", {"s": "9999999999998-0"}) == [["s", [["9999999999999-0", ["field", "2"]]]]]
    assert await sdk.run("xgroup_create", "s", "g", "0") == "OK"
    taken = await sdk.run("xreadgroup", "g", "worker", {"s": ">"}, count=1)
    assert taken[0][1][0][0] == first
    assert await sdk.run("xack", "s", "g", first) == 1
    with pytest.raises(UpstashError, match="BUSYGROUP"):
        await sdk.run("xgroup_create", "s", "g", "0")
    with pytest.raises(UpstashError, match="NOGROUP"):
        await sdk.run("xreadgroup", "none", "worker", {"s": ">"})


async def test_scripts(sdk: Sdk) -> None:
    """By text, by hash, and the fallback that every caller needs."""
    script = "#!lua flags=allow-key-locking\nreturn {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}"
    sha = hashlib.sha1(script.encode()).hexdigest()
    await sdk.run("script_flush")
    with pytest.raises(UpstashError, match="NOSCRIPT"):
        await sdk.run("evalsha", sha, keys=["n"], args=["x"])
    assert await sdk.run("eval", script, keys=["n"], args=["x"]) == ["n", "x", 1]
    assert await sdk.run("evalsha", sha, keys=["n"], args=["x"]) == ["n", "x", 2]
    assert await sdk.run("script_exists", sha, "0" * 40) == [True, False]
    assert await sdk.run("script_load", script) == sha
    assert await sdk.run("eval_ro", "return redis.call('GET', KEYS[1])", keys=["n"]) == "2"
    with pytest.raises(UpstashError, match=r"^FENCED by 7$"):
        await sdk.run("eval", "return redis.error_reply('FENCED by 7')")


async def test_bits_geo_and_hyperloglog(sdk: Sdk) -> None:
    """The smaller families."""
    assert await sdk.run("setbit", "b", 7, 1) == 0
    assert await sdk.run("bitcount", "b") == 1
    assert await sdk.run("pfadd", "p", "a", "b") == 1
    assert await sdk.run("pfcount", "p") == 2
    assert await sdk.run("geoadd", "g", (13.361389, 38.115556, "Palermo"), (15.087269, 37.502669, "Catania")) == 2
    assert round(await sdk.run("geodist", "g", "Palermo", "Catania", unit="KM")) == 166
    with pytest.raises(UpstashError, match="bit offset"):
        await sdk.run("setbit", "b", -1, 1)


async def test_server_and_pubsub(sdk: Sdk) -> None:
    """What has no key."""
    assert await sdk.run("ping") == "PONG"
    assert await sdk.run("echo", "OK") == "OK"
    assert await sdk.run("publish", "channel", "m") == 0
    assert await sdk.run("dbsize") == 0
    assert len(await sdk.run("time")) == 2
    assert await sdk.run("flushall")


async def test_json_and_search_are_unknown_commands(sdk: Sdk) -> None:
    """Native to the service and absent here (redis-rest.md 9)."""
    for command in (["JSON.SET", "k", "$", "{}"], ["JSON.GET", "k"], ["SEARCH.QUERY", "i", "q"]):
        with pytest.raises(UpstashError, match=f"unknown command '{command[0]}'"):
            await sdk.run("execute", command)


async def test_pipelines(sdk: Sdk) -> None:
    """Reshaped member by member; an error is raised after all of them ran."""
    results = await sdk.batch(
        "pipeline", ("set", "k", "v"), ("zadd", "z", {"a": 1.5}), ("zscore", "z", "a"), ("get", "k")
    )
    assert results == [True, 1, 1.5, "v"]
    with pytest.raises(UpstashError, match=WRONG_TYPE):
        await sdk.batch("pipeline", ("lpush", "k", "1"), ("set", "ran", "yes"))
    assert await sdk.run("get", "ran") == "yes"


async def test_transactions(sdk: Sdk) -> None:
    """A runtime error leaves the rest done; a refusal leaves nothing done, and the SDK trips over it."""
    assert await sdk.batch("multi", ("incr", "n"), ("incr", "n"), ("get", "n")) == [1, 2, "2"]
    with pytest.raises(UpstashError, match=WRONG_TYPE):
        await sdk.batch("multi", ("incr", "n"), ("lpush", "n", "1"), ("incr", "n"))
    assert await sdk.run("get", "n") == "4"
    with pytest.raises(AttributeError):  # it iterates over the one error object (redis-rest.md 7)
        await sdk.batch("multi", ("incr", "n"), ("execute", ["BLPOP", "l", "0"]))
    assert await sdk.run("get", "n") == "4"


async def test_a_binary_value_is_beyond_the_python_sdk(sdk: Sdk) -> None:
    """It decodes to text; so values must be text."""
    await sdk.run("eval", "redis.call('SET', KEYS[1], '\\255')", keys=["k"])
    with pytest.raises(UnicodeDecodeError):
        await sdk.run("get", "k")


async def test_the_sync_token_travels(sdk: Sdk) -> None:
    """The client keeps the newest one."""
    await sdk.run("set", "k", "1")
    first = sdk._client._sync_token
    await sdk.run("set", "k", "2")
    assert first
    assert sdk._client._sync_token not in ("", first)
