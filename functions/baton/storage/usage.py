"""Writes to the store that store the invocation's spending so far with the job that they are about.

Invariant: spending taken from the meter is stored with the write, or given back: then the next write takes it, or it is
overhead. A write with an unknown result counts as not done.
"""

from msgspec.structs import replace

from baton.engine.commit.answers import Claim, Committed, Created, Loaded, PendingItems, Recorded, Signal, SignalAnswer
from baton.engine.commit.stored_bytes import signal_bytes, written_bytes
from baton.engine.commit.usage_ledger import Spent
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.storage.ports.jobs import Store
from baton.transport.meter import give_back, take


class Keeping:
    """The meter's spending, for a write within the block; given back unless that is `written`."""

    __slots__ = ("_stored_bytes", "_taken", "written")
    _taken: Spent

    def __init__(self, stored_bytes: int) -> None:
        self._stored_bytes = stored_bytes
        self.written = False

    def __enter__(self) -> Spent:
        self._taken = take()
        return replace(self._taken, written=self._taken.written + self._stored_bytes)

    def __exit__(self, *_: object) -> None:
        if not self.written:
            give_back(self._taken)


async def commit(store: Store, claim: Claim, changes: Changes, continuation: Continuation | None = None) -> Committed:
    """Call `Store.commit`, with the spending so far."""
    with (keeping := Keeping(written_bytes(changes, claim.item_key))) as spent:
        answer = await store.commit(claim, changes, spent, continuation)
        keeping.written = answer.applied
    return answer


async def create(store: Store, changes: Changes, relay_id: str, now_ms: int, counted_bytes: int = 0) -> Created:
    """Call `Store.create`, with the spending so far. `counted_bytes`: those that its tenant's quota has counted."""
    with (keeping := Keeping(written_bytes(changes))) as spent:
        answer = await store.create(changes, relay_id, now_ms, replace(spent, counted=counted_bytes))
        keeping.written = answer.new
    return answer


async def record(
    store: Store, loaded: Loaded, relay_id: str, changes: Changes, now_ms: int
) -> tuple[Recorded, PendingItems]:
    """Call `Store.record`, with the spending so far."""
    with (keeping := Keeping(written_bytes(changes))) as spent:
        answer = await store.record(loaded, relay_id, changes, now_ms, spent)
        keeping.written = answer[0] is Recorded.COMMITTED
    return answer


async def record_signal(
    store: Store, job_id: str, relay_id: str, signal: Signal, now_ms: int, counted_bytes: int = 0
) -> SignalAnswer:
    """Call `Store.signal`, with the spending so far. `counted_bytes`: as of `create`."""
    with (keeping := Keeping(signal_bytes(signal))) as spent:
        answer = await store.signal(job_id, relay_id, signal, now_ms, replace(spent, counted=counted_bytes))
        keeping.written = answer.signal_result.is_new
    return answer
