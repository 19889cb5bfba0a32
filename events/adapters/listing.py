"""The jobs that the sweep must look at, in a hash tag of their own."""

from collections.abc import Sequence
from functools import cache

from events.adapters import keys
from events.adapters.redis import RedisConnection, script

_text = cache(script)


class RedisListing:
    """`Listing` over one connection."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def enter(self, job_id: str, now_ms: int, sweep_at_ms: int) -> bool:
        """List a job; returns whether a sweep must be armed."""
        answer = await self._redis.run(
            _text("enter", prelude=False), [keys.LISTED_JOBS, keys.LISTED_SWEEP], [job_id, now_ms, sweep_at_ms]
        )
        return bool(answer)

    async def jobs(self) -> dict[str, int]:
        """Listed job id → when it was listed."""
        listed = await self._redis.execute("HGETALL", keys.LISTED_JOBS)  # the SDK makes a dict of the flat reply
        return {job_id: int(at_ms) for job_id, at_ms in listed.items()}

    async def leave(self, job_ids: Sequence[str]) -> None:
        """Take ended jobs off the list."""
        if job_ids:
            await self._redis.execute("HDEL", keys.LISTED_JOBS, *job_ids)

    async def rearm(self, due_ms: int, next_ms: int) -> bool:
        """Whether the sweep due at `due_ms` is the one armed last."""
        return bool(await self._redis.run(_text("rearm", prelude=False), [keys.LISTED_SWEEP], [due_ms, next_ms]))
