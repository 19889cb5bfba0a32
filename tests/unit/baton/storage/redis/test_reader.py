"""How jobs are read from the store: in pages where there is much."""

from typing import Any, cast

import pytest

from baton.storage.redis.connection import RedisConnection
from baton.storage.redis.reader import PAGE_PARTS, RedisReader


class OneStream:
    """A connection to a store with one stream of parts. `longest`: the most parts that one answer had."""

    def __init__(self, count: int) -> None:
        self.parts = [f"part {number}" for number in range(count)]
        self.requests = self.longest = 0

    async def execute(self, *command: Any) -> Any:
        """One command, as a request of its own."""
        self.requests += 1
        return self._answer(*command)

    async def pipeline(self, *commands: list[Any]) -> list[Any]:
        """Some commands."""
        self.requests += 1
        return [self._answer(*command) for command in commands]

    def _answer(self, name: str, _key: str, *arguments: Any) -> Any:
        if name != "LRANGE":
            return None
        first, last = arguments
        found = self.parts[first:] if last == -1 else self.parts[first : last + 1]
        self.longest = max(self.longest, len(found))
        return found


@pytest.mark.parametrize("count", [0, 1, PAGE_PARTS - 1, PAGE_PARTS, PAGE_PARTS + 1, 3 * PAGE_PARTS + 7])
@pytest.mark.parametrize("after", [0, 3, PAGE_PARTS])
async def test_a_long_stream_is_read_in_pages_and_a_short_one_in_one_request(count: int, after: int) -> None:
    """No answer of the store grows with the whole of it."""
    store = OneStream(count)
    found = await RedisReader(cast("RedisConnection", store)).parts("job_1", after)
    assert list(found.parts) == store.parts[after:]
    assert store.longest <= PAGE_PARTS
    assert store.requests == 1 + max(0, count - after) // PAGE_PARTS
