"""Ended jobs on Upstash Redis: read, decided by the engine, and removed where they are unchanged; scores.

A score is a field of its tree's state: readers of a job read it anyway, and it goes with the job's data.
"""

from baton.engine.all_jobs.scores import Score
from baton.engine.commit import operations
from baton.engine.commit.answers import LEAST_TOMBSTONE_MS, Loaded, Recalled, Removed, Tombstone
from baton.engine.commit.codec import dump, load_call, load_job, load_tombstone
from baton.engine.commit.layout import tree_of
from baton.engine.commit.patch import Patch
from baton.engine.commit.tree import Tree
from baton.engine.state import Job
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from baton.store.redis.texts import TreeTexts
from baton.store.redis.tree.details import as_dict
from baton.store.redis.tree.writes import all_keys
from baton_events.errors import StoreError, UnreadablePayloadError
from baton_events.ids import root_of

_ATTEMPTS = 3


class Archive:
    """Ended jobs, and scores. Each method is one atomic script on one hash tag, harmless when repeated.

    The tombstone of a deleted job stays for `retention_ms`, or eight days.
    """

    def __init__(self, connection: RedisConnection, retention_ms: int) -> None:
        self._redis = connection
        self._retention_ms = retention_ms

    async def recall(self, job_id: str, *, partly: bool = False) -> Recalled | None:
        """Return a job with the data to decide on its retry or removal; None when unknown. Never an old read.

        `partly`: also where some of its texts cannot be opened, as for its removal.

        Raises UnreadablePayloadError: some cannot.
        """
        found, names, head = await self._redis.read(
            ["HGETALL", keys.state_key(job_id)],
            ["HKEYS", keys.calls_key(job_id)],
            ["HMGET", keys.calls_key(job_id), f"{keys.ENTRY}0", f"{keys.ENTRY}1"],
        )
        state = as_dict(found)
        text = state.get(f"job:{job_id}")
        if text is None:
            return None
        entries = sum(name.startswith(keys.ENTRY) for name in names)
        calls = [name for name in names if keys.is_call(name)]  # which do not change once it has ended
        [texts] = await self._redis.read(["HMGET", keys.calls_key(job_id), *calls]) if calls else [()]
        mine = TreeTexts(self._redis.sealing, job_id)
        records = [load_call(each, mine) for each in texts if each]
        loaded, tree = Loaded(load_job(text, mine), text), tree_of(state, {}, Tree(), mine)
        begun = mine.readable(filter(None, head))
        if mine.unreadable and not partly:
            raise UnreadablePayloadError(next(iter(mine.unreadable)))
        return operations.recalled(tree, loaded, records, entries, begun)

    async def remove(self, recalled: Recalled) -> Removed:
        """Remove a root with all below it, and leave a tombstone, if it has ended and is as it was recalled.

        Its slot requests must have reached the admission by then: they are not sent afterwards.
        """
        job = recalled.loaded.job
        for _ in range(_ATTEMPTS):
            [found] = await self._redis.read(["HGETALL", keys.state_key(job.id)])
            state = as_dict(found)
            tree = tree_of(state, {}, Tree(), TreeTexts(self._redis.sealing, job.id))
            verdict = operations.removal(tree, recalled)
            if verdict is not Removed.REMOVED or await self._removed(job.id, job.tenant, state, tree):
                return verdict
        raise StoreError(f"job {job.id} is not removed: it changes")

    async def _removed(self, root_id: str, tenant: str, state: dict[str, str], tree: Tree) -> bool:
        patch, key = Patch(0), keys.state_key(root_id)
        patch.count(key, "", len(state))
        patch.equal(key, dict(state))
        for each in all_keys(root_id, tree.jobs):
            patch.write("DEL", each, [])
        stone = dump(Tombstone(tenant, deleted=True))
        kept_ms = max(LEAST_TOMBSTONE_MS, self._retention_ms)
        patch.write("SET", keys.tombstone_key(root_id), [stone, "PX", str(kept_ms)])
        return await self._redis.written(patch)

    async def tombstone(self, job_id: str) -> Tombstone | None:
        """Return the record of a job, or of the one above it, whose data is gone; None: none, or the data is there."""
        there, text = await self._redis.pipeline(
            ["HEXISTS", keys.state_key(job_id), f"job:{root_of(job_id)}"], ["GET", keys.tombstone_key(job_id)]
        )
        return None if there else load_tombstone(text)

    async def keep_score(self, job: Job, score: Score) -> bool:
        """Keep a score with its job, whether it has ended or not, in place of one of that name.

        Returns whether the job is there. The score goes with the job's data.
        """
        patch, key, texts = Patch(0), keys.state_key(job.id), TreeTexts(self._redis.sealing, job.id, [job])
        patch.any(key, [f"job:{job.id}"])
        patch.write("HSET", key, [f"{keys.score_prefix(job.id)}{score.name}", dump(score, texts)])
        return await self._redis.written(patch)
