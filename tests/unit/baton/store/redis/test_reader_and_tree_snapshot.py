"""How a job's parts are read from the store, and what a process then knows of a tree."""

from typing import Any, cast

import pytest
from msgspec.structs import replace

from baton.engine.commit.codec import dump
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.store.redis.connection import RedisConnection
from baton.store.redis.reader import PAGE_ENTRIES, Reader
from baton.store.redis.tree.snapshot import TreeSnapshot
from baton_events.errors import StoreAnswerError
from baton_events.sealing import sealing_of

JOB = Job("job_1", "s", "acme", "clerk", created_at_ms=17)


class OneStream:
    """A connection to a store with one stream, each entry of `size` parts; the first `gone` entries were trimmed.

    `longest`: the most entries that one answer had.
    """

    def __init__(self, count: int, size: int = 1, gone: int = 0) -> None:
        parts = [f"part {number}" for number in range(1, count + 1)]
        self.entries = [(last, parts[last - size : last]) for last in range(size, count + 1, size)][gone:]
        self.requests = self.longest = 0
        self.sealing = sealing_of("", "")

    async def execute(self, *command: Any) -> Any:
        return (await self.pipeline(command))[0]

    async def pipeline(self, *commands: Any) -> list[Any]:
        self.requests += 1
        return [self._answer(*command) for command in commands]

    def _answer(self, name: str, _key: str, *arguments: Any) -> Any:
        if name == "HGET":
            return dump(JOB)
        start, end, _, most = arguments
        after = 0 if start == "-" else int(start.removeprefix(f"({JOB.created_at_ms}-"))
        assert (name, end) == ("XRANGE", "+")
        rows = [(f"17-{last}", [word for part in parts for word in ("p", part)]) for last, parts in self.entries]
        found = [row for row, (last, _) in zip(rows, self.entries, strict=True) if last > after][:most]
        self.longest = max(self.longest, len(found))
        return found


@pytest.mark.parametrize("count", [1, PAGE_ENTRIES - 1, PAGE_ENTRIES, 3 * PAGE_ENTRIES + 7])
@pytest.mark.parametrize("after", [0, 3, PAGE_ENTRIES])
async def test_a_long_stream_is_read_in_pages_and_a_short_one_in_one_request(count: int, after: int) -> None:
    """No answer of the store grows with the whole of it."""
    store = OneStream(count)
    found = await Reader(cast("RedisConnection", store)).parts("job_1", after, JOB)
    assert list(found.parts) == [f"part {number}" for number in range(after + 1, count + 1)]
    assert store.longest <= PAGE_ENTRIES
    assert store.requests == 1 + max(0, count - after) // PAGE_ENTRIES


class Ending(OneStream):
    """The job ends after so many commands, which adds its last part."""

    def __init__(self, count: int, commands: int) -> None:
        super().__init__(count)
        self.commands = commands

    def _answer(self, name: str, _key: str, *arguments: Any) -> Any:
        if self.commands == 0:
            self.entries.append((len(self.entries) + 1, ["the end"]))
        self.commands -= 1
        if name == "HGET" and self.commands < 0:
            return dump(replace(JOB, status=JobStatus.COMPLETED, result={"answer": "done"}))
        return super()._answer(name, _key, *arguments)


@pytest.mark.parametrize("known", [None, JOB])
@pytest.mark.parametrize("count", [0, 1, PAGE_ENTRIES - 1, PAGE_ENTRIES, PAGE_ENTRIES + 1])
async def test_who_reads_the_end_of_a_stream_finds_the_result_whenever_it_comes(count: int, known: Job | None) -> None:
    """A reader's last event has the job's result; read before the parts, the job has none yet."""
    for commands in range(6):
        found = await Reader(cast("RedisConnection", Ending(count, commands))).parts("job_1", 0, known)
        assert found.job is not None
        assert found.job.ended or "the end" not in found.parts


@pytest.mark.parametrize(("after", "first"), [(0, 7), (5, 7), (6, 7), (7, 8), (8, 9), (10, 11)])
async def test_a_position_inside_an_entry_is_kept_and_what_was_trimmed_is_seen(after: int, first: int) -> None:
    """An entry has the parts of one write, and the number of the last of them."""
    found = await Reader(cast("RedisConnection", OneStream(12, size=3, gone=2))).parts("job_1", after, JOB)
    assert (found.first, list(found.parts)) == (first, [f"part {number}" for number in range(first, 13)])


def test_a_result_that_is_not_there_says_nothing_of_the_call() -> None:
    """They have one name: a call that was taken for absent was read later, when somebody else had ended it."""
    place = ("job_1", "call_1")
    snapshot = TreeSnapshot().read_again({}, None, {place: None}, {})
    assert snapshot.knows_result(place)
    assert not snapshot.knows_call(place)
    assert snapshot.read_again({}, None, {}, {place: None}).knows_call(place)


class _Narrow(OneStream):
    """Answers no more than twenty entries at once: they are as large as that."""

    def _answer(self, name: str, key: str, *arguments: Any) -> Any:
        found = super()._answer(name, key, *arguments)
        if name == "XRANGE" and len(found) > 20:
            raise StoreAnswerError("max request size exceeded")
        return found


@pytest.mark.parametrize("count", [7, 21, PAGE_ENTRIES + 30])
async def test_a_stream_of_large_parts_is_read_however_little_the_store_answers_at_once(count: int) -> None:
    """Of a job with hundreds of results of 60 kB no page was answered: its stream could not be read at all."""
    reader = Reader(cast("RedisConnection", _Narrow(count)))
    for after in (0, 3):
        parts = tuple(f"part {number}" for number in range(after + 1, count + 1))
        assert (await reader.parts("job_1", after, JOB)).parts == parts
        assert await reader.parts_after(JOB, after) == parts
