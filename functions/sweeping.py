"""The sweep: looks by progress, not age, at jobs that hold a slot, and drives what nobody has driven (DESIGN 3).

Armed as a delayed message, one at a time, while somebody holds a slot; an hourly schedule, the backstop, looks at
everything in the book, and at failure callbacks that the queue has given up on, so that idle costs next to nothing. It
never touches a live lease or a future timer. What it drives it carries, so a crash in the middle loses nothing.
"""

import json
import logging

from events.core.admission import TOMBSTONE_MS, Book, Entry
from events.emitter import Emitter
from events.errors import MalformedEventError
from events.ids import root_of
from events.ports import Admission, Clock, Looked, Store
from functions.asking import arm_sweep, tell
from functions.dead_callbacks import DeadCallbacks
from functions.delivery import Outcome
from functions.handing_on import hand_on

_log = logging.getLogger("baton.sweep")

LOST_AFTER_MS = 60_000


def read_due_ms(body: bytes) -> int:
    """When an armed sweep was due; 0 for the scheduled backstop, whose body is empty."""
    if not body:
        return 0
    try:
        return int(json.loads(body).get("dueMs", 0))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedEventError(f"not a sweep's body: {body[:100]!r}") from error


class Sweep:
    """Looks at jobs without progress."""

    def __init__(self, store: Store, admission: Admission, emitter: Emitter, dead: DeadCallbacks, clock: Clock) -> None:
        self._store = store
        self._admission = admission
        self._emitter = emitter
        self._dead = dead
        self._clock = clock

    async def handle(self, due_ms: int, carrier: str, drive: str, *, again: bool) -> Outcome:
        """One sweep; `due_ms` 0 is the backstop, which looks at every job in the book.

        `carrier`: the message that carries what is driven; `drive`: which delivery of which message drives it.
        `again`: it was delivered before, and may carry legs of any job, so it looks at all of them.
        """
        now_ms = self._clock.now_ms()
        turn = await self._admission.sweep(due_ms, now_ms, again=again)
        # A copy that is older than the sweep armed last arms none, but it looks: it may carry what it drove before.
        if turn.next_ms:
            await arm_sweep(self._emitter, turn.next_ms)
        await tell(self._emitter, turn.tell, now_ms, drive)
        everything, driven = again or not due_ms, 0
        wanted = (name for name, entry in turn.book.items() if everything or entry.slot or entry.want == "gone")
        for root_id in sorted({root_of(name) for name in wanted}):
            looked = await self._store.look(root_id, carrier, now_ms, LOST_AFTER_MS, turn.book)
            driven += await hand_on(self._emitter, looked.session_id, looked.lost, drive)
            await self._admission.leave(over(root_id, turn.book, looked, now_ms))
        if driven:
            _log.warning("the sweep drove %d event(s) that nobody had driven for %d s", driven, LOST_AFTER_MS // 1000)
        if not due_ms:
            driven += await self._dead.revive()
        return Outcome("swept", driven)


def over(root_id: str, book: Book, looked: Looked, now_ms: int) -> list[tuple[str, int]]:
    """The entries of a tree that may leave the book: (job id, when it last said something)."""

    def is_over(name: str, entry: Entry) -> bool:
        age_ms = now_ms - entry.since_ms
        if looked.known and name in looked.ended:
            return entry.want == "gone" and age_ms > TOMBSTONE_MS
        if name in looked.forgotten:  # whoever starts it again wishes anew
            return age_ms > TOMBSTONE_MS
        return not looked.known and age_ms > 10 * TOMBSTONE_MS

    tree = ((name, entry) for name, entry in book.items() if root_of(name) == root_id)
    return [(name, entry.since_ms) for name, entry in tree if is_over(name, entry)]
