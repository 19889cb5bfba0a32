"""Counted events that no job waits for, in memory."""

from collections import Counter, defaultdict

from tests.fakes import FakeStore


class FakeKeptEvents:
    """`KeptEvents` beside a FakeStore."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self._counted: defaultdict[str, Counter[str]] = defaultdict(Counter)

    async def count(self, tenant: str) -> int:
        return self._counted[tenant].total()

    async def add(self, tenant: str, job_id: str) -> None:
        self._counted[tenant][job_id] += 1

    async def recount(self, tenant: str) -> int:
        kept = {job_id: len(self._store.tree(job_id).events.get(job_id, {})) for job_id in self._counted[tenant]}
        self._counted[tenant] = Counter({job_id: count for job_id, count in kept.items() if count})
        return await self.count(tenant)
