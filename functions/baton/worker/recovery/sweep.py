"""The sweep: checks jobs that hold a slot, by progress, not age, and replays their stalled work items.

It is armed as a delayed message, one at a time, while a job holds a slot. An hourly schedule, the backstop, checks all
jobs, and failure callbacks that the queue has given up on, so that idle costs next to nothing. It goes on page by page,
each a message of its own. So the cost at once does not grow with the jobs, and a job at which it dies holds up one
page. It touches no live lease, and a future timer once at most, where it may not have been published. It is the relay
of the items that it replays, so a crash in the middle loses nothing.

Source: decisions/0012-sweep.
"""

import json
import logging
from collections import defaultdict

from msgspec import Struct

from baton.engine.all_jobs.slots import STALLED_AFTER_MS, TOMBSTONE_MS, QueueEntry, SlotTable
from baton.engine.commit.answers import Reconciled
from baton.queue.dispatch import Outcome, dispatch
from baton.sdk.clock import Clock
from baton.store.redis.admission import Admission
from baton.store.redis.agent_memory import Chats
from baton.store.redis.store import Store
from baton.worker.admission.slot_client import arm_sweep, notify_granted
from baton.worker.recovery.undelivered import DeadCallbacks
from baton_events.emitter import Emitter
from baton_events.errors import MalformedEventError
from baton_events.ids import root_of
from baton_events.schema import SWEEP_ENDPOINT

_log = logging.getLogger("baton.sweep")


class Page(Struct, frozen=True):
    """The part of a sweep that a message requests.

    `due_ms`: the time for which the sweep was armed; 0: it is the scheduled backstop. `after`: where the page before
    ended (functions/baton/engine/all_jobs/slots.py); empty: this is the first one. `relay_id`: the relay of the items
    that it finds, if not its own message: so continues a sweep that came again, and may be the relay of any job's
    items.
    """

    due_ms: int
    after: str = ""
    relay_id: str = ""

    def body(self) -> str:
        fields = {"dueMs": self.due_ms, "after": self.after, "relayId": self.relay_id}
        return json.dumps({name: value for name, value in fields.items() if value != ""})


def read_page(body: bytes) -> Page:
    """Parse the request of a sweep's message; the scheduled backstop has an empty body."""
    try:
        fields = json.loads(body) if body else {}
        return Page(int(fields.get("dueMs", 0)), str(fields.get("after", "")), str(fields.get("relayId", "")))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedEventError(f"not a sweep's body: {body[:100]!r}") from error


class Sweep:
    """Checks jobs for progress."""

    def __init__(
        self, store: Store, admission: Admission, emitter: Emitter, dead: DeadCallbacks, clock: Clock, chats: Chats
    ) -> None:
        self._store, self._chats, self._admission, self._emitter = store, chats, admission, emitter
        self._dead, self._clock = dead, clock

    async def handle(self, page: Page, message_id: str, replay: str, *, again: bool) -> Outcome:
        """Do one page of a sweep.

        `message_id`: the relay of replayed items; `replay`: the delivery, of which message, that replays them.
        `again`: it was delivered before, and may be the relay of any job's items, so it checks all of them.
        """
        now_ms, relay_id = self._clock.now_ms(), page.relay_id or message_id
        turn = await self._admission.sweep(page.due_ms, now_ms, again=again, after=page.after)
        # A copy that is older than the sweep armed last arms none, but it checks: it may be the relay of earlier items.
        if turn.next_ms:
            await arm_sweep(self._emitter, turn.next_ms)
        if turn.after:  # before this page's work: where that fails each time, the others are checked
            following = Page(page.due_ms, turn.after, relay_id if again or page.relay_id else "")
            # One of a kind for a message, however often that comes: in an outage pages would else multiply by pages.
            name = f"page.{message_id}.{'again' if following.relay_id else 'first'}"
            await self._emitter.emit_to(SWEEP_ENDPOINT, following.body(), deduplication_id=name)
        # Sweeps and their copies notify a job once in that time: the queue takes one message of a name.
        await notify_granted(self._emitter, turn.granted, now_ms - now_ms % STALLED_AFTER_MS, "swept")
        replayed = await self._reconcile(turn.slot_table, relay_id, now_ms, replay)
        if replayed:
            _log.warning("the sweep replayed %d event(s) without progress for %d s", replayed, STALLED_AFTER_MS // 1000)
        if not page.due_ms:
            await self._chats.prolong_files(_ages_ms(turn.slot_table, now_ms))
        if not page.due_ms and not turn.after:  # the last page, which may come again: nothing follows it
            replayed += await self._dead.revive()
        return Outcome("swept", replayed)

    async def _reconcile(self, slot_table: SlotTable, relay_id: str, now_ms: int, replay: str) -> int:
        trees: defaultdict[str, dict[str, QueueEntry]] = defaultdict(dict)
        for name, entry in slot_table.items():
            trees[root_of(name)][name] = entry
        found = await self._store.reconcile_all(trees, relay_id, now_ms, STALLED_AFTER_MS)
        replayed, leaving = 0, list[tuple[str, int]]()
        for root_id, reconciled in found.items():
            replayed += await dispatch(self._emitter, reconciled.session_id, reconciled.stalled, replay)
            leaving += over(trees[root_id], reconciled, now_ms)
        await self._admission.prune(leaving)
        return replayed


def _ages_ms(slot_table: SlotTable, now_ms: int) -> dict[tuple[str, str], int]:
    """Return, by tenant and session, the age of its oldest job that has not ended."""
    ages_ms: dict[tuple[str, str], int] = {}
    for entry in slot_table.values():
        if entry.want != "gone":
            session = entry.tenant, entry.session_id
            ages_ms[session] = max(ages_ms.get(session, 0), now_ms - entry.created_ms)
    return ages_ms


def over(tree: SlotTable, reconciled: Reconciled, now_ms: int) -> list[tuple[str, int]]:
    """Return the entries of a tree that may leave the slot table: (job id, time of its last update)."""

    def is_over(name: str, entry: QueueEntry) -> bool:
        age_ms = now_ms - entry.since_ms
        if reconciled.known and name in reconciled.ended:
            return entry.want == "gone" and age_ms > TOMBSTONE_MS
        if name in reconciled.forgotten:  # a job that is started again requests anew
            return age_ms > TOMBSTONE_MS
        return not reconciled.known and age_ms > 10 * TOMBSTONE_MS

    return [(name, entry.since_ms) for name, entry in tree.items() if is_over(name, entry)]
