"""A store with what its process knows of histories, and the server beneath it."""

import json
from dataclasses import dataclass, replace

from events.adapters import keys
from events.adapters.known_histories import KnownHistories
from events.adapters.redis import RedisConnection
from events.adapters.store import RedisStore
from events.core.effects import Changes
from events.core.legs import Leg
from tests.contract.store.operations import JOB_IDS
from tests.contract.store.sample import JOB_ID, SPENT, claim_of
from tests.contract.store.side import RETENTION_MS, Side, side_over


@dataclass(frozen=True, slots=True)
class Stage:
    """A store, what it knows, and the server beneath it."""

    side: Side
    connection: RedisConnection
    histories: KnownHistories

    async def untrue(self) -> list[str]:
        """Jobs of which something else is stored than what is known under the tag that is stored."""
        return [job_id for job_id in (*JOB_IDS, f"{JOB_ID}.2") if not await self._is_true(job_id)]

    async def _is_true(self, job_id: str) -> bool:
        known = self.histories.of(job_id)
        if known is None:
            return True
        books, transcript, results = await self.connection.pipeline(
            ["HGET", keys.state_key(job_id), f"usage:{job_id}"],
            ["LRANGE", keys.transcript_key(job_id), 0, -1],
            ["HGETALL", keys.results_key(job_id)],
        )
        stored = (tuple(transcript), results)
        return _tag_in(books) != known.tag or stored == (known.transcript, known.results)

    async def is_known(self) -> bool:
        """Whether the next turn would not be told what was said."""
        books = await self.connection.execute("HGET", keys.state_key(JOB_ID), f"usage:{JOB_ID}")
        known = self.histories.of(JOB_ID)
        return known is not None and _tag_in(books) == known.tag

    async def commit(self, leg: Leg, changes: Changes) -> bool:
        """COMMIT, in time."""
        return (await self.side.store.commit(claim_of(leg), changes, SPENT)).applied


def _tag_in(books: str | None) -> str:
    found = json.loads(books or "{}")
    return found.get("history", "") if found.get("history_at") == found.get("redis_requests") else ""


def stage_on(connection: RedisConnection) -> Stage:
    """A store that knows nothing yet."""
    histories = KnownHistories()
    side = replace(side_over(connection), store=RedisStore(connection, RETENTION_MS, histories))
    return Stage(side, connection, histories)
