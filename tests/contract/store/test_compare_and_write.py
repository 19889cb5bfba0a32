"""lua/commit.lua, clause by clause: what does not hold, or no longer, writes nothing; what holds is written whole."""

from collections.abc import Callable

import pytest

from baton.engine.commit.patch import Patch
from baton.store.redis.connection import RedisConnection

_HASH, _LIST, _TEXT, _OTHER = (f"baton:{{a}}:{name}" for name in ("hash", "list", "text", "other"))
_MOST = 1_000


async def _content(redis: RedisConnection) -> object:
    return await redis.pipeline(["HGETALL", _HASH], ["LRANGE", _LIST, 0, -1], ["GET", _TEXT])


async def _written(redis: RedisConnection, *steps: Callable[[Patch], None]) -> bool:
    """Whether a patch with these conditions is written, whole; else nothing of it is."""
    before, patch = await _content(redis), Patch(_MOST)
    for step in steps:
        step(patch)
    patch.write("RPUSH", _LIST, ["first"])
    patch.write("SET", _TEXT, ["last"])
    written = await redis.written(patch)
    after = await _content(redis)
    if written:
        assert after[1:] == [[*before[1], "first"], "last"]  # type: ignore[index]
    else:
        assert after == before
    return written


async def begin(redis: RedisConnection) -> None:
    await redis.execute("HSET", _HASH, "one", "1", "two", "22")


async def test_fields_hold_while_they_have_these_texts(redis: RedisConnection) -> None:
    await begin(redis)
    assert not await _written(redis, lambda patch: patch.equal(_HASH, {"one": "1", "two": "2"}))
    assert not await _written(redis, lambda patch: patch.equal(_HASH, {"one": "1", "three": ""}))
    assert await _written(redis, lambda patch: patch.equal(_HASH, {"one": "1", "two": "22"}))


async def test_a_field_is_absent_while_it_is_not_there(redis: RedisConnection) -> None:
    """A text that is empty is one."""
    await begin(redis)
    assert not await _written(redis, lambda patch: patch.equal(_HASH, {"three": None, "two": None}))
    await redis.execute("HSET", _HASH, "four", "")
    assert not await _written(redis, lambda patch: patch.equal(_HASH, {"four": None}))
    assert await _written(redis, lambda patch: patch.equal(_HASH, {"three": None}))


async def test_a_text_is_appended_to_what_is_there_and_only_the_end_stays(redis: RedisConnection) -> None:
    """Without comparing it; where there is none, it begins one."""
    await begin(redis)

    def appending(patch: Patch, text: str) -> None:
        patch.equal(_HASH, {"one": "1"}, ["end"])
        patch.write("HSET", _HASH, ["end", text], [("end", 1)])

    for text, end in (("a,", "a,"), ("b,", "a,b,"), ("c" * 399, f",{'c' * 399}"), ("d,", f"{'c' * 398}d,")):
        assert await _written(redis, lambda patch, text=text: appending(patch, text))  # type: ignore[misc]
        assert await redis.execute("HGET", _HASH, "end") == end


async def test_a_text_ends_as_it_is_known_and_is_appended_to(redis: RedisConnection) -> None:
    """Where it does not end so, or is not there, nothing is written; its last characters stay."""
    await redis.execute("HSET", _HASH, "end", 'a;"é",')

    def ending(patch: Patch, text: str, more: str, field: str = "end") -> None:
        patch.ends(_HASH, field, text)
        patch.write("HSET", _HASH, ["other", "1", field, more], [(field, 3)])

    assert not await _written(redis, lambda patch: ending(patch, "a", "b"))
    assert not await _written(redis, lambda patch: ending(patch, 'b;"é",', "b"))
    assert not await _written(redis, lambda patch: ending(patch, "a", "b", "missing"))
    assert await redis.execute("HGET", _HASH, "end") == 'a;"é",'
    assert await _written(redis, lambda patch: ending(patch, ';"é",', "b;"))
    assert await redis.execute("HGET", _HASH, "end") == 'a;"é",b;'
    assert await _written(redis, lambda patch: patch.ends(_HASH, "end", 'a;"é",b;'))
    assert await redis.execute("HGET", _HASH, "end") == 'a;"é",b;'
    assert await _written(redis, lambda patch: ending(patch, "b;", "c" * 158))
    assert await redis.execute("HGET", _HASH, "end") == "b;" + "c" * 158


async def test_one_of_several_fields_is_enough_and_needed(redis: RedisConnection) -> None:
    await begin(redis)
    assert not await _written(redis, lambda patch: patch.any(_HASH, ["three", "four"]))
    assert await _written(redis, lambda patch: patch.any(_HASH, ["three", "two"]))


async def test_two_keys_are_missing_while_neither_is_there(redis: RedisConnection) -> None:
    await begin(redis)
    assert not await _written(redis, lambda patch: patch.missing(_OTHER, _HASH))
    assert not await _written(redis, lambda patch: patch.missing(_HASH, _OTHER))
    assert await _written(redis, lambda patch: patch.missing(_OTHER, _OTHER))


async def test_as_many_values_have_a_text_as_were_seen(redis: RedisConnection) -> None:
    """The text is no pattern."""
    await begin(redis)
    for part, number in (("2", 0), ("2", 2), (".", 2), ("", 1)):
        assert not await _written(redis, lambda patch, p=part, n=number: patch.count(_HASH, p, n))  # type: ignore[misc]
    assert await _written(redis, lambda patch: patch.count(_HASH, "2", 1))


async def test_each_condition_must_hold_wherever_it_stands(redis: RedisConnection) -> None:
    await begin(redis)
    holds, fails = (lambda patch: patch.count(_HASH, "1", 1)), (lambda patch: patch.count(_HASH, "1", 0))
    for steps in ((fails, holds, holds), (holds, fails, holds), (holds, holds, fails)):
        assert not await _written(redis, *steps)
    assert await _written(redis, holds, holds, holds)


async def test_what_is_read_is_what_was_written(redis: RedisConnection) -> None:
    await begin(redis)
    patch = Patch(_MOST)
    patch.write("HSET", _HASH, ["one", "new"])
    patch.read([("HGET", _HASH, "one"), ("HMGET", _HASH, "two", "three"), ("LRANGE", _LIST, 0, -1)])
    patch.size_bytes()
    commands, written, found = await redis.apply(*patch.request())
    assert (commands, written, found) == (5, 1, [["new"], [["22", None]], [[]]])


async def test_what_does_not_hold_is_named(redis: RedisConnection) -> None:
    patch = Patch(_MOST)
    patch.any(_HASH, ["one"])
    patch.size_bytes()
    assert list(await redis.apply(*patch.request())) == [2, 0, ["any"]]


async def test_more_than_may_be_read_is_answered_by_its_size(redis: RedisConnection) -> None:
    """Counted over all reads; as JSON in JSON a quotation mark takes two bytes."""
    await redis.execute("HSET", _HASH, "long", 'ü"' + 990 * "x", "short", "0123456789")
    patch = Patch(_MOST)
    patch.read([("HGET", _HASH, "long"), ("HGET", _HASH, "short"), ("HGET", _HASH, "none")])
    patch.size_bytes()
    assert (await redis.apply(*patch.request()))[2][1:] == [[None, 10], [None, 0]]


@pytest.mark.parametrize(("letters", "fits"), [(490, True), (491, False)])
async def test_as_much_as_may_be_read_is_read(redis: RedisConnection, letters: int, fits: bool) -> None:
    """To the byte, in a list, too."""
    texts = [letters * "x", 255 * '"']
    await redis.execute("RPUSH", _LIST, *texts)
    patch = Patch(_MOST)
    patch.read([("LRANGE", _LIST, 0, -1)])
    patch.size_bytes()
    assert (await redis.apply(*patch.request()))[2] == ([[texts]] if fits else [[None, _MOST + 1]])


async def test_a_sum_is_that_of_what_is_there_and_not_of_what_was_known(redis: RedisConnection) -> None:
    for total in (5, 10):
        patch = Patch(_MOST)
        patch.equal(_HASH, {}, ["sum"])
        patch.write("HSET", _HASH, ["sum", "guess", "shown", "guess"], [("sum", 1, "", 5), ("sum", 3, "in all ", 5)])
        assert await redis.written(patch)
        assert await redis.execute("HMGET", _HASH, "sum", "shown") == [str(total), f"in all {total}"]


@pytest.mark.parametrize("fields", [3_999, 4_000, 4_001, 9_000])
async def test_many_fields_go_in_slices_that_are_counted(redis: RedisConnection, fields: int) -> None:
    texts = {f"f{number}": str(number) for number in range(fields)}
    patch = Patch(1_000_000)
    patch.equal(_HASH, dict.fromkeys(texts))
    patch.write("HSET", _HASH, [each for pair in texts.items() for each in pair])
    patch.read([("HMGET", _HASH, *texts)])
    patch.size_bytes()
    commands, written, found = await redis.apply(*patch.request())
    assert (commands, written, found) == (patch.commands, 1, [[list(texts.values())]])
    patch = Patch(_MOST)
    patch.equal(_HASH, {**texts, f"f{fields - 1}": "another"})
    assert not await redis.written(patch)
