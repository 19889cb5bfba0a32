"""The admission on Redis, in a hash tag of its own: what its ports are to the semaphore (lua/semaphore.lua)."""

from collections.abc import Sequence

from baton.adapters import keys
from baton.adapters.ended_sums import EndedSums, line_of
from baton.adapters.redis import RedisConnection
from baton.adapters.semaphore import Dropped, Semaphore, entry_from, member_field, member_of
from baton.adapters.sweep_reading import page_from
from baton.adapters.takeover import OpenSemaphore
from baton.core.admission import ASKED_EVERY_MS, SWEEP, TOKEN_KEPT_MS, Entry, Place, SlotState
from baton.core.ends import End
from baton.core.stored_bytes import BytesAdded
from baton.core.sweep_pages import PAGE, page_mark
from baton.ports import SlotAnswer, SweepTurn, Told

_FIRST_OWN_KEY = len(keys.SLOT_INDEXES) + 2


class RedisAdmission:
    """`Admission` over one connection, with so many slots."""

    def __init__(
        self, connection: RedisConnection, slots: int, sweep_interval_ms: int, *, store_clock: bool = True
    ) -> None:
        self._redis = connection
        self._semaphore = Semaphore(connection, slots, sweep_interval_ms, store_clock=store_clock)
        self._open = OpenSemaphore(self._semaphore)
        self._sums = EndedSums(connection)

    async def slot_request(
        self,
        job_id: str,
        slot_state: SlotState,
        place: Place,
        now_ms: int,
        *,
        alone: bool = False,
        end: End | None = None,
        stored: BytesAdded | None = None,
    ) -> SlotAnswer:
        """Take a job's update."""
        said = Entry(
            place.tenant,
            place.session_id,
            place.priority,
            place.created_ms,
            slot_state.epoch,
            slot_state.want,
            agent=place.agent,
        )
        counted, writes = _counted(place, end, stored)
        optional = {"alone": alone, "writes": writes, "entered": bool(writes and not end)}
        more = {"fill": job_id, **{name: value for name, value in optional.items() if value}}
        answer = await self._open.run(now_ms, {job_id: member_of(job_id, said)}, more, more_keys=counted)
        if answer.revision < 0:
            return SlotAnswer(slot=False, busy=True)
        if answer.revision > slot_state.epoch:
            return SlotAnswer(slot=False, sweep_at_ms=answer.alarm_ms, later_epoch=answer.revision)
        return SlotAnswer(answer.held, answer.untaken, answer.alarm_ms)

    async def sweep(
        self, due_ms: int, now_ms: int, *, again: bool = False, after: str = "", page: int = PAGE
    ) -> SweepTurn:
        """A sweep begins, or goes on with a page."""
        next_ms, told = 0, tuple[Told, ...]()
        if not after:
            swept = ["HSET", keys.SLOTS, "swept", now_ms]
            more = {"fill": SWEEP, "everybody": True, "due": due_ms}
            answer = await self._open.run(now_ms, {}, more, beside=[swept])
            next_ms, told = answer.alarm_ms, answer.untaken
            await self._sums.add_all()
        slot_table, following = await page_from(self._semaphore, page_mark(due_ms, after, again=again), now_ms, page)
        return SweepTurn(next_ms, slot_table, told, following)

    async def slot_table(self) -> dict[str, Entry]:
        """All entries, by job id."""
        await self._open.ready()
        return await self._semaphore.entries()

    async def entry(self, job_id: str) -> Entry | None:
        """A job's entry, also where a version before has kept it."""
        await self._open.ready()
        text = await self._redis.execute("HGET", keys.SLOTS, member_field(job_id))
        return entry_from(text) if text else None

    async def may_ask_for_sweep(self, now_ms: int) -> bool:
        """Whether a sweep may be asked for now; by the store's clock, since the callers' may be wrong."""
        asked = await self._redis.execute("SET", keys.ADMISSION_ASKED, now_ms, "NX", "PX", ASKED_EVERY_MS)
        return asked is not None and asked is not False

    async def bearer(self, token: str, message_id: str) -> str:
        """The message that a token of the queue came with first."""
        key = keys.token_key(token)
        _, first = await self._redis.pipeline(["SET", key, message_id, "NX", "PX", TOKEN_KEPT_MS], ["GET", key])
        return str(first)

    async def leave(self, ended: Sequence[tuple[str, int]]) -> None:
        """Take ended jobs off the admission, unless they have said something since."""
        for first in range(0, len(ended), PAGE):
            dropped = {name: Dropped(since_ms) for name, since_ms in ended[first : first + PAGE]}
            await self._semaphore.run(0, dropped, {})


def _counted(place: Place, end: End | None, stored: BytesAdded | None) -> tuple[list[str], list[list[str | int]]]:
    """What is counted with the first update of a job, or with the one that says that it is gone: keys, and commands."""
    counted: list[str] = []
    writes: list[list[str | int]] = []
    if end:
        counted.append(keys.ADMISSION_UNCOUNTED)
        writes.append(["RPUSH", _FIRST_OWN_KEY, line_of(place.agent, place.tenant, end)])
    if stored and stored.adds:
        at = _FIRST_OWN_KEY + len(counted)
        counted.append(keys.stored_bytes_key(place.tenant))
        writes += [["HINCRBY", at, str(until_ms), str(size)] for until_ms, size in stored.adds.items()]
        writes.append(["PEXPIRE", at, str(stored.kept_ms)])
    return counted, writes
