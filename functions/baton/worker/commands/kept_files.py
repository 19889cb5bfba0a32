"""Files of sessions, kept within the quota of their tenant.

Invariant: a file that was there counts once. Must not: ask the quota where a submission has asked it for all its files.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from baton.engine.all_jobs.job_list import Query
from baton.engine.state import Job
from baton.store.records.objects import job_place
from baton.store.redis.agent_memory import Chats
from baton.store.redis.listing import Listing
from baton.store.redis.reader import Reader
from baton.worker.admission.stored_quota import StoredQuota

# Of a session: its newest jobs, of which rows may be left that have none.
_ROWS = 100


async def forget_with_last(chats: Chats, quota: StoredQuota, listing: Listing, reader: Reader, job: Job) -> None:
    """Forget the files of a person's session with its last job: no other makes it known to who erases the person.

    Raises StoreError: some may be left.
    """
    query = Query(tenant=job.tenant, session_id=job.session_id)
    rows = (await listing.scan(query, "", _ROWS)).found
    found = await reader.jobs([row.job_id for row in rows if row.job_id != job.id])
    if not any((one.job.tenant, one.job.session_id) == (job.tenant, job.session_id) for one in found.values()):
        await chats.forget_chat(job.tenant, job.session_id, quota.given_back)


class KeptFiles(Struct, frozen=True):
    """Files for the session of a job: their texts, by name.

    `copies`: recorded large results, whose objects are copied to the job's place. `objects`: where they are.
    """

    chats: Chats
    quota: StoredQuota
    job: Job
    texts: Mapping[str, str]
    copies: Sequence[Mapping[str, Any]] = ()
    objects: Any = None

    @property
    def total_bytes(self) -> int:
        """How much is stored."""
        return sum(map(len, self.texts.values())) + sum(int(one["bytes"]) for one in self.copies)

    async def store(self, now_ms: int, *, checks: bool = False) -> None:
        """Store them. `checks`: only where the tenant has room for them.

        Raises:
            StoreError. PayloadGoneError: an object to copy is gone. StorageFullError, TooLargeError: there is no room.
        """
        if checks:
            await self.quota.check(self.job.tenant, self.total_bytes)
        for one in self.copies:
            await self.objects.copy(one["ref"], job_place(self.job.tenant, self.job.id))
        for name, text in self.texts.items():
            if await self.chats.keep_file(self.job.tenant, self.job.session_id, name, text, now_ms):
                await self.quota.stored(self.job.tenant, "file", len(text))
        if self.texts and self.job.start_at_ms > now_ms:
            await self.chats.need_files(self.job.tenant, self.job.session_id, self.job.start_at_ms - now_ms)
