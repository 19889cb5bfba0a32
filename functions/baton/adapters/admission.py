"""The admission on Upstash Redis, in a hash tag of its own."""

from collections.abc import Sequence

from baton.adapters import keys
from baton.adapters.admission_scripts import AdmissionScripts, told_of
from baton.adapters.redis import RedisConnection
from baton.core.admission import ASKED_EVERY_MS, TOKEN_KEPT_MS, Entry, Place, SlotState
from baton.core.ends import End
from baton.core.records import dump_end, load_entry
from baton.core.stored_bytes import BytesAdded
from baton.core.sweep_pages import PAGE, page_mark
from baton.ports import SlotAnswer, SweepTurn
from baton_events.ids import canonical_json


class RedisAdmission:
    """`Admission` over one connection, with so many slots."""

    def __init__(
        self, connection: RedisConnection, slots: int, sweep_interval_ms: int, *, store_clock: bool = True
    ) -> None:
        self._redis = connection
        self._scripts = AdmissionScripts(connection, slots, sweep_interval_ms, store_clock=store_clock)

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
        """Take a job's word."""
        slot, tell, sweep_at_ms, later_epoch, busy = await self._scripts.run(
            "wish",
            now_ms,
            [
                job_id,
                slot_state.epoch,
                slot_state.want,
                place.tenant,
                place.session_id,
                place.priority,
                place.created_ms,
                place.agent,
                int(alone),
                dump_end(end) if end else "",
                *((canonical_json(stored.adds), stored.kept_ms) if stored and stored.adds else ()),
            ],
            [
                keys.ADMISSION_ENDS,
                keys.ADMISSION_USED,
                *((keys.stored_bytes_key(place.tenant),) if stored and stored.adds else ()),
            ],
        )
        return SlotAnswer(bool(slot), told_of(tell), int(sweep_at_ms), int(later_epoch), bool(busy))

    async def sweep(
        self, due_ms: int, now_ms: int, *, again: bool = False, after: str = "", page: int = PAGE
    ) -> SweepTurn:
        """A sweep begins, or goes on with a page."""
        next_ms, tell, flat, following = await self._scripts.run(
            "sweep", now_ms, [due_ms, page_mark(due_ms, after, again=again), int(not after), page]
        )
        slot_table = {name: load_entry(text) for name, text in zip(flat[::2], flat[1::2], strict=True)}
        return SweepTurn(int(next_ms), slot_table, told_of(tell), following)

    async def slot_table(self) -> dict[str, Entry]:
        """All entries, by job id."""
        return await self._scripts.entries()

    async def entry(self, job_id: str) -> Entry | None:
        """A job's entry, also where a version before has kept it."""
        hashes = (keys.ADMISSION_JOBS, *keys.ADMISSION_BEFORE)
        found = await self._redis.pipeline(*(["HGET", key, job_id] for key in hashes))
        text = next(filter(None, found), None)
        return load_entry(text) if text else None

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
        if ended:
            await self._scripts.run("leave", 0, [value for pair in ended for value in pair])
