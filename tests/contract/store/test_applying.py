"""The script that compares and writes, in this process and on a server: the same patches, answers and keys."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baton.engine.commit.patch import Patch
from baton.store.redis.connection import RedisConnection
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.side import connection_to
from tests.simulation.kept import Kept

_HASHES, _LISTS, _TEXTS = ("baton:{a}:h1", "baton:{a}:h2"), ("baton:{a}:l1", "baton:{a}:l2"), ("baton:{a}:s1",)
_STREAM = "baton:{a}:x1"
_EVERY = (*_HASHES, *_LISTS, *_TEXTS, _STREAM)
_RETENTION_MS = "1000000"
_NAMES = st.sampled_from(["one", "two", "three", "four", "\u00e9"])
_VALUES = st.sampled_from(["", "x", '{"job_id":"a"}', '{"job_id":"b"}', "\u00fc\u4e2d", "100%.*"])
_FIELDS = st.dictionaries(_NAMES, _VALUES, min_size=1, max_size=4)
_Step = Callable[[Patch, Kept], None]


def _texts(key: str, keys: Kept) -> dict[str, str]:
    return dict(keys.values.get(key, {}))


def _as_it_is(key: str, names: list[str], keys: Kept) -> dict[str, str | None]:
    there = _texts(key, keys)
    return {name: there.get(name) for name in names}


def _known(key: str, names: list[str]) -> _Step:
    return lambda patch, keys: patch.equal(key, _as_it_is(key, names, keys))


def _counted(key: str, part: str, error: int) -> _Step:
    def step(patch: Patch, keys: Kept) -> None:
        patch.count(key, part, sum(part in text for text in _texts(key, keys).values()) + error)

    return step


def _add(count: int, compared: list[str], texts: list[str]) -> _Step:
    """Number an entry of a stream by a field that is not compared, as others may have added meanwhile; append one."""

    def step(patch: Patch, keys: Kept) -> None:
        patch.equal(_HASHES[0], _as_it_is(_HASHES[0], compared, keys), ["sum", "end"])
        patch.write("HSET", _HASHES[0], ["sum", "guess", "end", *texts[:1]], [("sum", 1, "", count), ("end", 3)])
        entry = ["MAXLEN", "~", "1000", "guess", *(each for text in texts for each in ("p", text))]
        patch.write("XADD", _STREAM, entry, [("sum", 3, "17-", count)])

    return step


_KEYS_OF_HASHES = st.sampled_from(_HASHES)
_SOME_NAMES = st.lists(_NAMES, min_size=1, max_size=4, unique=True)
# Half of them hold.
_CONDITIONS: st.SearchStrategy[_Step] = st.one_of(
    st.builds(_known, _KEYS_OF_HASHES, _SOME_NAMES),
    st.builds(lambda key, texts: lambda patch, _: patch.equal(key, texts), _KEYS_OF_HASHES, _FIELDS),
    st.builds(_counted, _KEYS_OF_HASHES, st.sampled_from(["", "x", '"job_id":"a"', "."]), st.sampled_from([0, 0, 1])),
    st.builds(lambda key, names: lambda patch, _: patch.any(key, names), _KEYS_OF_HASHES, _SOME_NAMES),
    st.lists(st.sampled_from(_EVERY), min_size=2, max_size=2).map(lambda two: lambda patch, _: patch.missing(*two)),
)


def _write(command: str, key: str, arguments: list[str]) -> _Step:
    return lambda patch, _: patch.write(command, key, arguments)


_WRITES: st.SearchStrategy[_Step] = st.one_of(
    st.builds(
        lambda key, texts: _write("HSET", key, [each for pair in texts.items() for each in pair]),
        _KEYS_OF_HASHES,
        _FIELDS,
    ),
    st.builds(lambda key, names: _write("HDEL", key, names), _KEYS_OF_HASHES, _SOME_NAMES),
    st.builds(lambda key, texts: _write("RPUSH", key, texts), st.sampled_from(_LISTS), st.lists(_VALUES, min_size=1)),
    st.builds(lambda text: _write("SET", _TEXTS[0], [text, "PX", _RETENTION_MS]), _VALUES),
    st.sampled_from(_EVERY).map(lambda key: _write("PEXPIRE", key, [_RETENTION_MS])),
    st.sampled_from(_EVERY).map(lambda key: _write("PERSIST", key, [])),
    # Without the hash that numbers the entries of the stream: it goes with the stream, or numbers would begin anew.
    st.sampled_from(_EVERY[1:]).map(lambda key: _write("DEL", key, [])),
)
_ADDS = st.builds(_add, st.integers(1, 9), st.lists(_NAMES, max_size=2), st.lists(_VALUES, min_size=1, max_size=3))
_READS: st.SearchStrategy[list[Any]] = st.one_of(
    _KEYS_OF_HASHES.map(lambda key: ["HGETALL", key]),
    st.builds(lambda key, names: ["HMGET", key, *names], _KEYS_OF_HASHES, _SOME_NAMES),
    st.builds(
        lambda key, first, last: ["LRANGE", key, first, last],
        st.sampled_from(_LISTS),
        st.integers(-4, 4),
        st.integers(-4, 4),
    ),
)
_STEPS = st.tuples(
    st.lists(_CONDITIONS, max_size=2),
    st.tuples(st.lists(_WRITES, max_size=4), st.lists(_ADDS, max_size=1)).map(lambda both: [*both[0], *both[1]]),
    st.lists(_READS, max_size=3),
    st.sampled_from([0, 20, 1_000_000]),
)


def _content(process: RedisProcess) -> tuple[dict[str, Any], set[str]]:
    """All keys with what they hold, and those that expire."""
    requested = dict.fromkeys(_HASHES, ("HGETALL",)) | dict.fromkeys(_LISTS, ("LRANGE", "0", "-1"))
    requested |= dict.fromkeys(_TEXTS, ("GET",)) | {_STREAM: ("XRANGE", "-", "+")}
    times = [("PTTL", key) for key in _EVERY]
    answers = process.request_all(*((command[0], key, *command[1:]) for key, command in requested.items()), *times)
    found = dict(zip(requested, answers, strict=False))
    expiring = {key for key, left_ms in zip(_EVERY, answers[len(requested) :], strict=True) if left_ms > 0}
    return {key: value for key, value in found.items() if value not in (None, [])}, expiring


def _content_of(keys: Kept) -> dict[str, Any]:
    flat = {key: [each for pair in keys.hash(key).items() for each in pair] for key in _HASHES}
    found: dict[str, Any] = {
        key: flat.get(key, list(value) if isinstance(value, tuple) else value) for key, value in keys.values.items()
    }
    if _STREAM in found:
        found[_STREAM] = [entry.reply() for entry in found[_STREAM].entries]
    return found


def _sorted(content: dict[str, Any]) -> dict[str, Any]:
    hashes = {key: sorted(zip(content[key][::2], content[key][1::2], strict=True)) for key in _HASHES if key in content}
    return {**content, **hashes}


def _ordered(found: list[Any], reads: list[list[Any]]) -> list[Any]:
    flat = [command[0] == "HGETALL" and value[0] is not None for command, value in zip(reads, found, strict=False)]
    return [
        [sorted(zip(value[0][::2], value[0][1::2], strict=True))] if is_hash else value
        for is_hash, value in zip(flat, found, strict=False)
    ]


@asynccontextmanager
async def _connected(process: RedisProcess) -> AsyncIterator[RedisConnection]:
    process.request("FLUSHALL")
    connection = connection_to(process)
    try:
        yield connection
    finally:
        await connection.close()


async def _apply_both(
    process: RedisProcess, connection: RedisConnection, keys: Kept, step: tuple[Any, ...]
) -> tuple[Any, Any]:
    conditions, writes, reads, most = step
    patch = Patch(most)
    for each in (*conditions, *writes):
        each(patch, keys)
    patch.read(reads)
    patch.size_bytes()
    request = patch.request()
    commands, written, found = await connection.apply(*request)
    twin = keys.apply(*request)
    if written:
        found, twin[2] = _ordered(found, reads), _ordered(twin[2], reads)
    content, expiring = _content(process)
    real = ([commands, written, found], _sorted(content), expiring)
    return real, (twin, _sorted(_content_of(keys)), set(keys.expiring))


@given(steps=st.lists(_STEPS, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_both_write_the_same(redis_process: RedisProcess, steps: list[tuple[Any, ...]]) -> None:
    async def compare() -> None:
        keys = Kept()
        async with _connected(redis_process) as connection:
            for number, step in enumerate(steps):
                real, twin = await _apply_both(redis_process, connection, keys, step)
                assert twin == real, f"patch {number}"

    asyncio.run(compare())


@pytest.mark.parametrize("fields", [3999, 4000, 4001, 9000])
async def test_both_take_as_many_commands_for_many_fields(redis_process: RedisProcess, fields: int) -> None:
    keys, texts = Kept(), {f"f{number}": str(number) for number in range(fields)}
    flat = [each for pair in texts.items() for each in pair]
    steps: list[tuple[Any, ...]] = [
        ([], [_write("HSET", _HASHES[0], flat), _write("RPUSH", _LISTS[0], list(texts))], [], 0),
        (
            [lambda patch, _: patch.equal(_HASHES[0], texts)],
            [_write("HDEL", _HASHES[0], list(texts)[1:])],
            [["HMGET", _HASHES[0], *texts], ["LRANGE", _LISTS[0], 0, -1]],
            1_000_000,
        ),
    ]
    async with _connected(redis_process) as connection:
        for step in steps:
            real, twin = await _apply_both(redis_process, connection, keys, step)
            assert twin == real
