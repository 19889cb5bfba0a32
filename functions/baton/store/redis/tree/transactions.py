"""Runs transitions of trees: decides on the snapshot, compares and writes, decides again after another write.

Invariant: a process runs the transitions of one tree one after the other, those that wait together as one patch. None
is answered before it is written; one that writes nothing is computed from a fresh read.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from secrets import token_urlsafe
from typing import Any

from msgspec import Struct, field

from baton.engine.commit.answers import Committed
from baton.engine.commit.patch import Command, Patch, Stamps
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from baton.store.redis.texts import TreeTexts
from baton.store.redis.totals import Counts, adding
from baton.store.redis.tree.attempt import Attempt, Transition
from baton.store.redis.tree.billing import HeldCounts
from baton.store.redis.tree.details import Details
from baton.store.redis.tree.reading import known_results, read_again, reads_of
from baton.store.redis.tree.snapshot import Place, Transcript, TreeSnapshot, is_written
from baton.store.redis.tree.usual import UsualStep
from baton.store.redis.tree.writes import Kept
from baton_events.errors import StoreError

_ATTEMPTS = 20
# The trees that are kept while unused, and for how long; work in progress uses its own at least as often as this.
_TREES, _IDLE_SECONDS = 500, 12.0
# The size of all cached transcripts, those of a few thousand turns; what is made of them takes a few times as much.
KNOWN_CHARS = 8_000_000
_MOST_CHARS = 1_000_000  # of one request
# The number of trees that one answer may have, at some 30 kB each.
_READ_AT_ONCE = 300
_NOTHING = TreeSnapshot()


class _Waiting(Struct, eq=False):
    """A transition, and its answer once it was made."""

    transition: Transition
    answer: Any = None
    error: Exception | None = None
    is_done: bool = False
    is_given_up: bool = False

    def end(self, answer: Any) -> None:
        """Note the answer, or the error."""
        if isinstance(answer, Exception):
            self.error = answer
        self.answer, self.is_done = answer, True

    def result(self) -> Any:
        """Return the answer, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.answer


class _Queue(Struct, eq=False):
    """One tree in this process."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[_Waiting] = field(default_factory=list[_Waiting])
    snapshot: TreeSnapshot | None = None
    earlier: Mapping[str, Transcript] = {}  # that were known last, by job: others may have added to them since
    size_chars: int = 0  # of these
    requested_seconds: float = 0.0  # the last request's time, on the loop's clock

    def next_batch(self) -> list[_Waiting]:
        """Return the transitions that wait, as many as fit into one request.

        A claim returns its work item's call once all is written, so no other transition of the request ends that item.
        """
        batch, capacity = [self.waiting.pop(0)], _MOST_CHARS
        items = {batch[0].transition.item_key} - {""}
        while self.waiting:
            following = self.waiting[0].transition
            if len(batch) == 1:
                capacity -= batch[0].transition.size_chars()
            capacity -= following.size_chars()
            if capacity < 0 or following.ends or following.item_key in items:
                break
            items |= {following.item_key} - {""}
            batch.append(self.waiting.pop(0))
        return batch


class Transactions:
    """The trees that this process works on. `most_bytes`: of one answer; `known_chars`: of cached transcripts."""

    def __init__(self, connection: RedisConnection, kept: Kept, most_bytes: int, known_chars: int) -> None:
        self._redis = connection
        self._known_chars = known_chars
        self._kept = kept
        self._most_bytes = most_bytes
        self._queues: dict[str, _Queue] = {}  # the longest unused first
        self._stamps, self._size_chars = Stamps(lambda: token_urlsafe(8)), 0
        self._held = HeldCounts(connection.held)

    async def run(self, root_id: str, transition: Transition) -> Any:
        """Make a transition; return its answer. Raises StoreError: it may have been made, or not."""
        if self._redis.sealing.is_own:  # before anything is sealed
            await self._redis.sealing.ready()
        queue = self._queue(root_id)
        if (step := self._usual(queue, transition)) is not None:
            async with queue.lock:
                if (committed := await self._made(queue, step, transition.counts)) is not None:
                    return committed
                waiting = _Waiting(transition)
                await self._make(root_id, queue, [waiting], [step])
            return waiting.result()
        waiting = _Waiting(transition)
        queue.waiting.append(waiting)
        try:
            async with queue.lock:
                if queue.snapshot is not None and len(queue.snapshot.tree.items) > 1:
                    await asyncio.sleep(0)  # others that are ready now
                while not waiting.is_done:
                    batch = queue.next_batch()
                    making = self._make(root_id, queue, batch)
                    try:
                        await (making if len(batch) == 1 else _to_its_end(making))
                    finally:
                        if not batch[-1].is_done:
                            queue.waiting[:0] = [each for each in batch if not each.is_given_up]
        finally:
            if not waiting.is_done:
                waiting.is_given_up = True
                if waiting in queue.waiting:  # else it is in another one's patch
                    queue.waiting.remove(waiting)
        return waiting.result()

    async def run_each(self, transitions: Mapping[str, Transition]) -> list[Any]:
        """Make one of each of these trees, read together beforehand; none reads anything besides.

        Raises StoreError: some of them may have been made, or not.
        """
        roots = list(transitions)
        found = list[TreeSnapshot | None]()
        for first in range(0, len(roots), _READ_AT_ONCE):
            found += await self._read_each(roots[first : first + _READ_AT_ONCE])
        making = [self._run_on(root, transitions[root], each) for root, each in zip(roots, found, strict=True)]
        answers = await asyncio.gather(*making, return_exceptions=True)
        for each in answers:
            if isinstance(each, BaseException):
                raise each
        return answers

    async def _read_each(self, roots: Sequence[str]) -> list[TreeSnapshot | None]:
        answers = await self._redis.read_each([reads_of(root, (), ()) for root in roots])
        texts = [TreeTexts(self._redis.sealing, root) for root in roots]  # also a step in work knows the tree then
        return [
            read_again(_NOTHING, answer, (), (), each) if answer and answer[0] else None
            for answer, each in zip(answers, texts, strict=True)
        ]

    async def _run_on(self, root_id: str, transition: Transition, snapshot: TreeSnapshot | None) -> Any:
        """Make a transition of a tree that was read for it alone; a tree that was not known is not kept."""
        if snapshot is None:
            return await self.run(root_id, transition)
        is_known, queue, waiting = root_id in self._queues, self._queue(root_id), _Waiting(transition)
        async with queue.lock:
            self._keep(queue, snapshot)
            await self._make(root_id, queue, [waiting])
        if not is_known and root_id in self._queues:
            self._forget(root_id)
        return waiting.result()

    def _queue(self, root_id: str) -> _Queue:
        queue = self._queues.pop(root_id, None) or _Queue()
        self._queues[root_id] = queue
        queue.requested_seconds = asyncio.get_running_loop().time()
        return queue

    def _keep(self, queue: _Queue, snapshot: TreeSnapshot | None) -> None:
        """Keep this snapshot of a tree; forget the trees that are unused for longest where that is too much."""
        if snapshot is not None and snapshot.transcripts is not (queue.snapshot or _NOTHING).transcripts:
            self._keep_transcripts(queue, {**queue.earlier, **snapshot.transcripts})
        queue.snapshot = snapshot
        while self._knows_too_much() and self._forget(next(iter(self._queues))):
            pass

    def _keep_transcripts(self, queue: _Queue, transcripts: Mapping[str, Transcript]) -> None:
        size_chars = sum([transcript.size_chars for transcript in transcripts.values()])
        self._size_chars += size_chars - queue.size_chars
        queue.earlier, queue.size_chars = transcripts, size_chars

    def _knows_too_much(self) -> bool:
        if self._size_chars > self._known_chars or len(self._queues) <= _TREES:
            return self._size_chars > self._known_chars
        idle_since = asyncio.get_running_loop().time() - _IDLE_SECONDS
        return next(iter(self._queues.values())).requested_seconds < idle_since

    def _forget(self, root_id: str) -> bool:
        queue = self._queues[root_id]
        if queue.lock.locked() or queue.waiting:
            return False
        self._size_chars -= queue.size_chars
        del self._queues[root_id]
        return True

    async def _made(self, queue: _Queue, step: UsualStep, counts: Counts) -> Committed | None:
        """Make a usual step; None: another has written meanwhile."""
        if counts:
            self._held.keep((counts,))
        try:
            commands, written, found = await self._redis.apply(*step.request(self._kept))
        except Exception as error:
            self._keep(queue, None)
            raise _unwritten(error) from error
        step.bill.sent(commands, found, written=bool(written))
        if not written:
            self._keep(queue, None)
            return None
        before, queue.snapshot = step.before.transcripts, step.after()
        if step.known is not None:
            queue.earlier = {**queue.earlier, **queue.snapshot.transcripts}
            more = step.known.size_chars - before[step.job.id].size_chars
            queue.size_chars += more
            self._size_chars += more
        if self._size_chars > self._known_chars or len(self._queues) > _TREES:
            self._keep(queue, queue.snapshot)
        return step.committed()

    async def _make(
        self, root_id: str, queue: _Queue, batch: list[_Waiting], refused: Sequence[UsualStep] = ()
    ) -> None:
        """Make these transitions, or fail each of them. `refused`: the only one, as a usual step."""
        counts: Sequence[Counts] = [each.transition.counts for each in batch if each.transition.counts and not refused]
        attempts: list[Attempt | UsualStep] = [*refused]
        try:
            transitions, snapshot = [each.transition for each in batch], queue.snapshot
            for number in range(_ATTEMPTS):
                snapshot, results = await self._snapshot(root_id, snapshot, transitions, again=number > 0)
                if attempts and not any(is_written(each.name, snapshot) for each in attempts):
                    attempts[-1].bill.refund()  # it has taken what the one before it gave back
                attempts.clear()
                for attempt in self._attempts(root_id, snapshot, transitions, results):
                    if attempts:
                        attempts[-1].bill.refund()
                    known, draft, named = attempt.transcripts(), attempt.draft, not (attempt.is_apart or snapshot.apart)
                    details = Details(attempt.answers, known, draft, attempt.texts, queue.earlier, named=named)
                    beside = adding(self._held.beside(attempt.answers, counts))
                    commands, written, found = await self._requested(attempt, details, beside)
                    if commands:
                        attempt.bill.sent(commands + len(beside), found, written=bool(written))
                    if written:
                        return _end(batch, await self._known(queue, attempt, details, found))
                    attempts.append(attempt)
                    counts = ()
                self._keep(queue, None)
            self._fail(queue, batch, StoreError(f"the tree of {root_id} changes faster than it can be written"))
        except Exception as error:  # noqa: BLE001 - each waiting caller gets it
            self._fail(queue, batch, _unwritten(error))

    def _usual(self, queue: _Queue, transition: Transition) -> UsualStep | None:
        """Return the usual step that a COMMIT is, if it is one and nothing else is made of the tree."""
        snapshot, usual = queue.snapshot, transition.usual
        if usual is None or snapshot is None or queue.waiting or queue.lock.locked() or self._redis.sealing.first:
            return None
        return usual(snapshot, self._stamps.next)

    def _attempts(
        self,
        root_id: str,
        snapshot: TreeSnapshot,
        transitions: Sequence[Transition],
        results: Mapping[Place, str | None],
    ) -> Iterator[Attempt]:
        """Yield one attempt, and where that is refused one that does not conflict with others' writes, if possible.

        None where nothing is to be written, and the snapshot is not fresh.
        """
        head, sealing = (root_id, snapshot, transitions, results), self._redis.sealing
        attempt = Attempt(*head, self._stamps.next(), sealing, apart=snapshot.is_contended or snapshot.is_fresh)
        if attempt.is_nothing and not snapshot.is_fresh:
            return
        yield attempt
        if not (attempt.is_nothing or attempt.is_apart):
            attempt = Attempt(*head, self._stamps.next(), sealing, apart=True)
            if attempt.is_apart:
                yield attempt

    def _requested(
        self, attempt: Attempt, details: Details, beside: Sequence[Command]
    ) -> Coroutine[Any, Any, tuple[int, int, list[Any]]]:
        """Compare, write and read, as `RedisConnection.apply` does.

        Where nothing is to be written, the fresh read is the answer; if more is to be read, it must still hold.
        """
        if attempt.is_nothing and not details.reads:
            return self._beside(beside)
        patch = Patch(self._most_bytes)
        attempt.fill(patch, self._kept)
        patch.read(details.reads)
        attempt.settle(patch, beside)
        return self._redis.apply(*patch.request(), beside)

    async def _beside(self, beside: Sequence[Command]) -> tuple[int, int, list[Any]]:
        if beside:
            await self._redis.pipeline(*beside)
        return 0, 1, []

    async def _known(self, queue: _Queue, attempt: Attempt, details: Details, found: Sequence[Any]) -> list[Any]:
        """Return the complete answers after the write, and keep the new snapshot of the tree."""
        answers = [await details.complete(each, found, self._redis, self._most_bytes) for each in attempt.answers]
        snapshot = attempt.after(details.transcripts)
        self._keep(queue, snapshot)
        if snapshot is None:  # nothing is open
            self._keep_transcripts(queue, {})
        return answers

    def _fail(self, queue: _Queue, batch: list[_Waiting], error: Exception) -> None:
        self._keep(queue, None)
        _end(batch, [error] * len(batch))

    async def _snapshot(
        self, root_id: str, snapshot: TreeSnapshot | None, transitions: Sequence[Transition], *, again: bool
    ) -> tuple[TreeSnapshot, Mapping[Place, str | None]]:
        """Return a snapshot from which the transitions can be computed, and the results; `again`: it is to be read."""
        if snapshot is None and not again and all(transition.guesses for transition in transitions):
            return _NOTHING, {}
        for number in range(_ATTEMPTS):
            if snapshot is not None and number >= again and (found := known_results(snapshot, transitions)) is not None:
                return snapshot, found
            known = snapshot or _NOTHING
            waiting = [place for transition in transitions for place, _ in transition.places(known.tree)]
            calls = list(dict.fromkeys(place for transition in transitions for place in transition.calls(known.tree)))
            results = list(dict.fromkeys(waiting))
            reads = reads_of(root_id, results, calls)
            answers = await self._redis.read(*reads)
            [stone] = [None] if answers[0] else await self._redis.read(["GET", keys.tombstone_key(root_id)])
            snapshot = read_again(known, answers, results, calls, TreeTexts(self._redis.sealing, root_id), stone)
        raise StoreError(f"the tree of {root_id} changes faster than it can be read")


def _unwritten(error: Exception) -> Exception:
    return StoreError(f"what is written is no UTF-8: {error}") if isinstance(error, UnicodeEncodeError) else error


def _end(batch: Sequence[_Waiting], answers: Sequence[Any]) -> None:
    for each, answer in zip(batch, answers, strict=True):
        each.end(answer)


async def _to_its_end(making: Coroutine[Any, Any, None]) -> None:
    """Await work for which others wait, too; a cancellation takes effect after it."""
    task = asyncio.ensure_future(making)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
