"""Kept events on Upstash Redis: a hash for each tenant, a field for each job that some are counted for.

Invariant: only calls of the API that keep an event write here, and only one that meets the quota looks at jobs.
"""

from baton.adapters import keys
from baton.adapters.redis import RedisConnection
from baton.adapters.redis_commands import Command

TOTAL = "*"  # no job is called so
_NOBODY = "-"  # nor so: HDEL takes one name at least
# So many jobs are looked at when a tenant has reached its quota: each gives back one event at least that was taken.
JOBS_LOOKED_AT = 200


class RedisKeptEvents:
    """`KeptEvents` over one connection."""

    def __init__(self, connection: RedisConnection, retention_ms: int) -> None:
        self._redis = connection
        self._retention_ms = retention_ms

    async def count(self, tenant: str) -> int:
        """How many are counted."""
        return int(await self._redis.execute("HGET", keys.kept_events_key(tenant), TOTAL) or 0)

    async def add(self, tenant: str, job_id: str) -> None:
        """Count one more of a job."""
        key = keys.kept_events_key(tenant)
        await self._redis.pipeline(
            ["HINCRBY", key, job_id, 1], ["HINCRBY", key, TOTAL, 1], ["PEXPIRE", key, self._retention_ms]
        )

    async def recount(self, tenant: str) -> int:
        """Look at some of the jobs, and give back what they keep no more."""
        key = keys.kept_events_key(tenant)
        found: dict[str, str] = await self._redis.execute("HRANDFIELD", key, JOBS_LOOKED_AT, "WITHVALUES")
        counted = {name: int(count) for name, count in found.items() if name != TOTAL}
        if not counted:
            return await self.count(tenant)
        fields = await self._redis.pipeline(*(["HKEYS", keys.state_key(job_id)] for job_id in counted))
        kept = {job_id: _kept(job_id, names) for job_id, names in zip(counted, fields, strict=True)}
        gone = [job_id for job_id in counted if not kept[job_id]]
        fewer = {job_id: kept[job_id] - was for job_id, was in counted.items() if kept[job_id] and kept[job_id] != was}
        now = sum(kept.values())
        all_seen = len(found) < JOBS_LOOKED_AT  # then the total is known, whatever it has missed
        corrected: list[Command] = [("HINCRBY", key, job_id, by) for job_id, by in fewer.items()]
        *_, total = await self._redis.pipeline(
            ["HDEL", key, *gone, _NOBODY],
            *corrected,
            ["HSET", key, TOTAL, now] if all_seen else ["HINCRBY", key, TOTAL, now - sum(counted.values())],
        )
        return now if all_seen else int(total)


def _kept(job_id: str, fields: list[str]) -> int:
    """How many of the fields of a job's tree are events that it keeps."""
    return sum(name.startswith(f"event:{job_id}:") for name in fields or [])
