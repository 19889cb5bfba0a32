"""The sweep: looks by progress, not age, at every listed job, and drives what nobody has driven (DESIGN 3, "Sweep").

Armed as a delayed message, one at a time, while jobs are listed; a schedule is the backstop. It never touches a live
lease or a future timer. What it drives it carries, so a crash in the middle loses nothing.
"""

import json
import logging

from events.emitter import Emitter
from events.errors import MalformedEventError
from events.ids import root_of
from events.ports import Clock, Listing, Store
from events.schema import SWEEP_ENDPOINT
from functions.delivery import Outcome
from functions.handing_on import drive_of, hand_on

_log = logging.getLogger("baton.sweep")

LOST_AFTER_MS = 60_000
# An ended (or unknown) job stays listed this long: its witness may still create it again after a failover.
TOMBSTONE_MS = 150_000


def read_due_ms(body: bytes) -> int:
    """When an armed sweep was due; 0 for the scheduled backstop, whose body is empty."""
    if not body:
        return 0
    try:
        return int(json.loads(body).get("dueMs", 0))
    except (ValueError, TypeError, AttributeError) as error:
        raise MalformedEventError(f"not a sweep's body: {body[:100]!r}") from error


class Sweep:
    """Looks at every listed job."""

    def __init__(
        self, store: Store, listing: Listing, emitter: Emitter, clock: Clock, interval_ms: int = 60_000
    ) -> None:
        self._store = store
        self._listing = listing
        self._emitter = emitter
        self._clock = clock
        self._interval_ms = interval_ms

    async def handle(self, due_ms: int, message_id: str, retried: int) -> Outcome:
        """One sweep; `due_ms` 0 is the backstop."""
        now_ms = self._clock.now_ms()
        listed = await self._listing.jobs()
        if listed and not await self._arm_next(due_ms, now_ms):
            return Outcome("merged")
        driven, ended = 0, list[str]()
        for job_id, since_ms in listed.items():
            looked = await self._store.look(root_of(job_id), message_id, now_ms, LOST_AFTER_MS)
            driven += await hand_on(self._emitter, looked.session_id, looked.lost, drive_of(message_id, retried))
            if (looked.ended or not looked.known) and now_ms - since_ms > TOMBSTONE_MS:
                ended.append(job_id)
        await self._listing.leave(ended)
        if driven:
            _log.warning("the sweep drove %d event(s) that nobody had driven for %d s", driven, LOST_AFTER_MS // 1000)
        return Outcome("swept", driven)

    async def _arm_next(self, due_ms: int, now_ms: int) -> bool:
        """Arm the next sweep; False for a copy that is older than the one armed last, which ends."""
        next_ms = now_ms + self._interval_ms
        if not await self._listing.rearm(due_ms or now_ms, next_ms):
            return due_ms == 0
        await self._emitter.emit_to(SWEEP_ENDPOINT, f'{{"dueMs":{next_ms}}}', not_before_ms=next_ms)
        return True
