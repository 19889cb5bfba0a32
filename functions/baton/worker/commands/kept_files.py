"""Files of sessions, kept within the quota of their tenant.

Invariant: a file that was there counts once. Must not: ask the quota where a submission has asked it for all its files.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from baton.engine.state import Job
from baton.store.records.objects import job_place
from baton.store.redis.agent_memory import Chats
from baton.worker.admission.stored_quota import StoredQuota


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
                await self.quota.file_stored(self.job.tenant, len(text))
        if self.texts and self.job.start_at_ms > now_ms:
            await self.chats.need_files(self.job.tenant, self.job.session_id, self.job.start_at_ms - now_ms)
