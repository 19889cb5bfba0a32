"""Keeps, finds and forgets entries in both memories.

Invariant: an entry of a forgotten session never stays, in any order of storing and forgetting. An entry goes to the
long-term memory first and to the session last, which refuses it if the session was forgotten; then the entry is taken
back.
"""

import asyncio
import logging
from collections.abc import Awaitable, Collection, Sequence
from typing import TypeVar

from msgspec import Struct

from baton.sdk.memory.entries import Recalled, Recollection
from baton.sdk.memory.policy import Memory
from baton.sdk.records.memory import LongTermMemory, MemoryEntry, MemoryHit, SessionMemory
from baton_events.errors import MemoryUnavailableError, StoreError
from baton_events.ids import root_of

_log = logging.getLogger("baton.memory")
_V = TypeVar("_V")

NO_INDEX = "no vector index is configured: set UPSTASH_VECTOR_REST_URL and UPSTASH_VECTOR_REST_TOKEN"
# It precedes the model call, whose own limit may fill the lease: together they stay within the lease's margin.
RETRIEVAL_LIMIT_SECONDS = 5.0
QUERY_LIMIT_CHARS = 2_000


class Forgotten(Struct, frozen=True):
    """The numbers of forgotten entries."""

    session: int
    long_term: int


class MemoryKeeper:
    """Both memories. `long_term` is None without a configured vector index: then only sessions have memory.

    `limit_seconds`: the longest time of a retrieval. `indexed`: entries are written to the index, in clear.
    """

    def __init__(
        self,
        session: SessionMemory,
        long_term: LongTermMemory | None,
        limit_seconds: float = RETRIEVAL_LIMIT_SECONDS,
        *,
        indexed: bool = True,
    ) -> None:
        self._indexed, self._session, self._long_term = indexed, session, long_term
        self._limit_seconds = limit_seconds

    @property
    def has_index(self) -> bool:
        """Whether there is long-term memory."""
        return self._long_term is not None

    async def retrieve(
        self, policy: Memory, tenant: str, session_id: str, text: str, job_id: str, replaced: Collection[str] = ()
    ) -> Recollection:
        """Retrieve entries relevant to a task, without the job's own and those of replaced ones; raise no outage."""
        (recent, no_recent), (similar, no_similar) = await asyncio.gather(
            self._limited("session memory", self._recent(policy, tenant, session_id)),
            self._limited("long-term memory", self._similar(policy, tenant, session_id, text)),
        )
        newest = [entry for entry in recent or () if entry.job_id != job_id and root_of(entry.job_id) not in replaced]
        known = {entry.id for entry in newest}
        hits = [hit for hit in similar or () if hit.entry.id not in known and hit.entry.job_id != job_id]
        found = [hit for hit in hits if root_of(hit.entry.job_id) not in replaced]
        entries = (*(Recalled(hit.entry, hit.score) for hit in found), *map(Recalled, newest))
        return Recollection(session_id, entries, tuple(filter(None, (no_recent, no_similar))))

    async def _recent(self, policy: Memory, tenant: str, session_id: str) -> tuple[MemoryEntry, ...]:
        if not policy.recent:
            return ()
        return (await self._session.recent(tenant, session_id))[-policy.recent :]

    async def _similar(self, policy: Memory, tenant: str, session_id: str, text: str) -> tuple[MemoryHit, ...]:
        if not policy.similar or not text:
            return ()
        return await self.search(policy, tenant, session_id, text, policy.similar)

    async def _limited(self, what: str, pending: Awaitable[_V]) -> tuple[_V | None, str]:
        """Return the answer, or a warning that names the memory that did not answer."""
        try:
            async with asyncio.timeout(self._limit_seconds):
                return await pending, ""
        except (TimeoutError, StoreError, MemoryUnavailableError) as error:
            _log.warning("nothing is recalled from %s: %s", what, str(error) or f"no answer in {self._limit_seconds} s")
            return None, f"{what} did not answer"

    async def recent(self, tenant: str, session_id: str) -> tuple[MemoryEntry, ...]:
        """Read the session's newest entries, the oldest first. Raises StoreError."""
        return await self._session.recent(tenant, session_id)

    async def search(
        self, policy: Memory, tenant: str, session_id: str, text: str, limit: int
    ) -> tuple[MemoryHit, ...]:
        """Find entries near a text in meaning, within the policy's scope; none without a configured index.

        Raises MemoryUnavailableError: the index does not answer.
        """
        if self._long_term is None:
            return ()
        of_session = session_id if policy.scope == "session" else ""
        return await self._long_term.search(tenant, text[:QUERY_LIMIT_CHARS], limit, policy.minimum_score, of_session)

    async def store(self, tenant: str, entry: MemoryEntry) -> bool:
        """Store an entry; False: its session was forgotten meanwhile, and it is not kept. Any repetition is harmless.

        Raises StoreError, MemoryUnavailableError: it may be stored in part: store it again.
        """
        if self._long_term is not None and self._indexed:
            await self._long_term.add(tenant, entry)
        if await self._session.add(tenant, entry):
            return True
        if self._long_term is not None:
            await self._long_term.delete(tenant, (entry.id,))
        return False

    async def forget_jobs(self, tenant: str, session_id: str, job_ids: Sequence[str]) -> None:
        """Forget all entries of jobs of a session, and of those below them, also those that are still to be stored.

        Raises StoreError, MemoryUnavailableError: a part may be forgotten already: repeat the call.
        """
        known = await self._session.forget_jobs(tenant, session_id, job_ids)
        if self._long_term is not None:
            await self._long_term.forget_jobs(tenant, session_id, job_ids)
            # A new entry may not be found by its metadata yet.
            await self._long_term.delete(tenant, (*job_ids, *known))

    async def forget(self, tenant: str, session_id: str, now_ms: int) -> Forgotten:
        """Forget all entries of a session, also those that jobs submitted until now still store.

        Raises StoreError, MemoryUnavailableError: a part may be forgotten already: repeat the call.
        """
        known = await self._session.forget(tenant, session_id, now_ms)
        if self._long_term is None:
            return Forgotten(len(known), 0)
        found = await self._long_term.forget(tenant, session_id)
        # A new entry may not be found by its metadata yet.
        await self._long_term.delete(tenant, known)
        return Forgotten(len(known), found)
