"""The stream of outcomes on a real server: a consumer group without blocking reads."""

import pytest

from baton.store.redis.connection import RedisConnection
from baton.store.redis.operation_stream import OperationStream, StreamEntry, trimming
from baton_events.errors import StoreError

STREAM, GROUP = "operations:ours", "our-group"
MOST = 200


@pytest.fixture
def stream(connection: RedisConnection) -> OperationStream:
    return OperationStream(connection, MOST, STREAM, GROUP)


async def add(connection: RedisConnection, **fields: str) -> str:
    added = await connection.execute("XADD", STREAM, "*", *(text for item in fields.items() for text in item))
    return str(added)


async def test_entries_are_given_once_and_those_from_before_the_first_reader_too(
    connection: RedisConnection, stream: OperationStream
) -> None:
    first = await add(connection, operation_id="op_1", success="true", result='{"a": 1}')
    second = await add(connection, data="{}")
    assert await stream.take() == [
        StreamEntry(first, {"operation_id": "op_1", "success": "true", "result": '{"a": 1}'}),
        StreamEntry(second, {"data": "{}"}),
    ]
    assert await stream.take() == []
    third = await add(connection, data="{}")
    assert [entry.id for entry in await stream.take()] == [third]


async def test_an_empty_stream_is_no_error(stream: OperationStream) -> None:
    assert await stream.take() == []
    assert await stream.take() == []
    await stream.done([])


async def test_an_entry_that_is_not_done_is_claimed_after_a_minute(
    connection: RedisConnection, stream: OperationStream
) -> None:
    """Here it was taken by somebody who is long dead; one that is done is not given again."""
    names = [await add(connection, data="{}") for _ in range(2)]
    await stream.take()
    await stream.done(names[:1])
    long_ago: list[str | int] = ["XCLAIM", STREAM, GROUP, "dead", 0, names[1], "IDLE", 61_000]
    await connection.execute(*long_ago)
    assert [entry.id for entry in await stream.take()] == names[1:]
    assert await stream.take() == []


async def test_what_is_buried_is_kept_with_its_reason(connection: RedisConnection, stream: OperationStream) -> None:
    await add(connection, success="perhaps")
    (entry,) = await stream.take()
    await stream.bury(entry, "it names no operation")
    ((_, fields),) = await connection.execute("XRANGE", "operations:dead", "-", "+")
    assert fields == ["entry", entry.id, "reason", "it names no operation", "success", "perhaps"]
    assert (await connection.execute("XPENDING", STREAM, GROUP))[0] == 0


async def test_what_could_not_be_buried_stays_with_us(connection: RedisConnection, stream: OperationStream) -> None:
    """A server that cannot keep it, or another one of a cluster that is away, loses no outcome."""
    await add(connection, success="perhaps")
    (entry,) = await stream.take()
    await connection.execute("SET", "operations:dead", "in the way")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        await stream.bury(entry, "it names no operation")
    assert (await connection.execute("XPENDING", STREAM, GROUP))[0] == 1


async def test_operations_wait_until_they_are_completed_or_their_time_is_up(stream: OperationStream) -> None:
    for name, until_ms in (("op_1", 100), ("op_2", 200), ("op_2", 200)):
        await stream.expect(name, until_ms)
    assert await stream.expected(50) == 2
    assert await stream.expected(100) == 1
    await stream.forget("op_2")
    await stream.forget("op_2")
    assert await stream.expected(50) == 0


async def test_what_was_taken_in_is_trimmed_and_nothing_else(
    connection: RedisConnection, stream: OperationStream
) -> None:
    """The newest stay for other readers; while an entry is not done, all that are newer stay, too."""
    for number in range(900):
        await add(connection, operation_id=f"op_{number}")
    taken = [entry for _ in range(10) for entry in await stream.take()]
    assert len(taken) == 900
    await stream.done([entry.id for entry in taken if entry.fields["operation_id"] != "op_300"])
    await stream.trim()
    assert 600 <= await connection.execute("XLEN", STREAM) < 800
    assert (await connection.execute("XRANGE", STREAM, taken[300].id, taken[300].id)) != []
    await stream.done([taken[300].id])
    await stream.trim()
    assert MOST <= await connection.execute("XLEN", STREAM) < 2 * MOST + 100


@pytest.mark.parametrize(
    ("length", "pending", "expected"),
    [(10, "", ()), (11, "", ("MAXLEN", "~", 10)), (20, "5-0", ()), (21, "5-0", ("MINID", "~", "5-0"))],
)
def test_how_a_stream_is_trimmed(length: int, pending: str, expected: tuple[str | int, ...]) -> None:
    assert trimming(length, pending, 10) == expected
