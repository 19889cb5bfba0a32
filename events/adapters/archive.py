"""Ended jobs on Upstash Redis: each method is one script on one hash tag, or one read of it."""

import json
from functools import cache

from events.adapters import keys
from events.adapters.redis import RedisConnection, script
from events.core.records import load_call, load_job, load_leg, load_usage
from events.core.retrying import EndedJob
from events.core.state import NOTHING_USED
from events.core.transcript import recalled
from events.errors import StoreError
from events.ids import canonical_json, root_of
from events.ports import Loaded, Recalled, Removed, Tombstone, Untold

_text = cache(script)
# Who removes a job names the jobs below it; one attempt learns of them, and no more are started.
_FAMILY_ATTEMPTS = 3
# A message of a deleted job may come for so long, also where data is kept for a shorter time.
_SHORTEST_MS = 3_600_000


class RedisArchive:
    """`Archive` over one connection. The tombstone of a deleted job stays for `retention_ms`, or an hour."""

    def __init__(self, connection: RedisConnection, retention_ms: int) -> None:
        self._redis = connection
        self._retention_ms = retention_ms

    async def recall(self, job_id: str) -> Recalled | None:
        """A job with what a retry or a removal is decided on."""
        text, calls, entries, head, wishes, written = await self._redis.run(
            _text("recall"),
            [keys.state_key(job_id), keys.calls_key(job_id), keys.transcript_key(job_id)],
            [job_id],
        )
        if not text:
            return None
        job, records = load_job(text), tuple(load_call(call) for call in calls[1::2])
        ended = EndedJob(job, records, int(entries), 2 if recalled(head) else 1)
        untold = tuple(
            Untold(load_leg(wish), load_job(of), load_usage(books) if books else NOTHING_USED)
            for wish, of, books in zip(wishes[::3], wishes[1::3], wishes[2::3], strict=True)
        )
        sizes = zip(written[::3], written[1::3], written[2::3], strict=True)
        return Recalled(
            Loaded(job, text), ended, untold, {name: (int(at_ms), int(size)) for name, at_ms, size in sizes}
        )

    async def remove(self, recalled: Recalled, now_ms: int) -> Removed:
        """Remove a root with all below it, and leave a tombstone."""
        job = recalled.loaded.job
        told = canonical_json([untold.wish.key for untold in recalled.wishes])
        tombstone = canonical_json({"tenant": job.tenant, "deleted": True, "at": now_ms})
        kept_ms = max(_SHORTEST_MS, self._retention_ms)
        family: list[str] = []
        for _ in range(_FAMILY_ATTEMPTS):
            answer = await self._redis.run(
                _text("remove"),
                [keys.state_key(job.id), keys.tombstone_key(job.id), *_keys_of([job.id, *family])],
                [job.id, recalled.loaded.version, canonical_json(family), told, tombstone, kept_ms],
            )
            if answer[0] != "family":
                return Removed(answer[0])
            family = sorted(answer[1])
        raise StoreError(f"job {job.id} is not removed: the jobs below it change")

    async def tombstone(self, job_id: str) -> Tombstone | None:
        """What is kept of a job whose data is gone."""
        there, text = await self._redis.pipeline(
            ["HEXISTS", keys.state_key(job_id), f"job:{root_of(job_id)}"], ["GET", keys.tombstone_key(job_id)]
        )
        if there or not text:
            return None
        kept = json.loads(text)
        return Tombstone(kept["tenant"], kept["deleted"])


def _keys_of(names: list[str]) -> list[str]:
    each = (keys.calls_key, keys.results_key, keys.transcript_key, keys.parts_key)
    return [name_of(name) for name in names for name_of in each]
