"""The store on Redis: the steps of `baton.engine.commit`, computed from a tree's snapshot, compared and written."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from baton.engine.all_jobs.slots import SlotTable
from baton.engine.commit import operations
from baton.engine.commit.answers import (
    Claim,
    ClaimResult,
    Committed,
    Created,
    Loaded,
    PendingItems,
    Reconciled,
    Recorded,
    Signal,
    SignalAnswer,
    Undelivered,
)
from baton.engine.commit.claiming import give_back, prolong
from baton.engine.commit.codec import load_job
from baton.engine.commit.tree import Tree
from baton.engine.effects import Changes, checkpoints_in
from baton.engine.outbox import Continuation
from baton.engine.work_items import ItemKind
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from baton.store.redis.texts import TreeTexts
from baton.store.redis.totals import counting, of_deployment
from baton.store.redis.tree.attempt import Transition
from baton.store.redis.tree.reading import calls_claimed_with, calls_continued, outcomes_continued
from baton.store.redis.tree.snapshot import Place
from baton.store.redis.tree.transactions import KNOWN_CHARS, Transactions
from baton.store.redis.tree.usual import usual_step
from baton.store.redis.tree.writes import Kept
from baton.store.transport.meter import current
from baton_events.ids import job_of_call, root_of

# Below the hosted store's limit of 10 MB for an answer, whose other data has the rest.
_PROMPT_LIMIT_BYTES = 8_000_000
_Places = Iterable[tuple[Place, bool]]
_Answer = TypeVar("_Answer")
Coming = Coroutine[Any, Any, _Answer]


class Store:
    """The state of jobs. Each method is one atomic script on one hash tag, harmless when repeated.

    What an invocation has spent so far is billed to its job with what `create`, `commit`, `record` or `signal` writes.
    Ended jobs expire `retention_ms` after their end.

    `prompt_limit_bytes`: of the reads of one answer; of more than that only the size is known. `known_chars`: of the
    transcripts in this process's cache. `stream_length`: how many entries of each job's stream stay at least.
    """

    def __init__(
        self,
        connection: RedisConnection,
        retention_ms: int,
        prompt_limit_bytes: int = _PROMPT_LIMIT_BYTES,
        stream_length: int = 10_000,
        *,
        known_chars: int = KNOWN_CHARS,
    ) -> None:
        self._redis = connection
        self._retention_ms = retention_ms
        self._transactions = Transactions(
            connection, Kept(retention_ms, stream_length), prompt_limit_bytes, known_chars
        )

    def create(
        self, changes: Changes, message_id: str, now_ms: int, counted_bytes: int = 0, *, known: bool = False
    ) -> Coming[Created]:
        """Write a new job with its backup message as relay, unless it is there.

        `counted_bytes`: of what it stores, the bytes that its tenant's quota has counted already. `known`: it was there
        a moment ago.

        Raises JobGoneError: it was there, and its data is gone.
        """
        job_id = changes.job.id if changes.job else ""
        transition = Transition(
            job_id=job_id,
            make=lambda draft: operations.create(draft, changes, message_id, now_ms, counted_bytes),
            messages=(message_id,),
            jobs=_only(job_id),
            guesses=not known,
        )
        return self._transactions.run(root_of(job_id), transition)

    def claim(self, claim: Claim) -> Coming[ClaimResult]:
        """Load and claim a work item; the message becomes its relay."""
        waits = claim.item_key.startswith(f"{ItemKind.WAIT}:")
        transition = Transition(
            job_id=claim.job_id,
            make=lambda draft: operations.claim(draft, claim),
            messages=(claim.message_id,),
            jobs=_only(claim.job_id),
            item_key=claim.item_key,
            turns=claim.item_key.startswith(f"{ItemKind.LOOP}:"),
            places=lambda _: [((claim.job_id, claim.call_id), True)] if waits else (),
            calls=lambda tree: calls_claimed_with(claim, tree),
        )
        return self._transactions.run(root_of(claim.job_id), transition)

    def commit(self, claim: Claim, changes: Changes, continuation: Continuation | None = None) -> Coming[Committed]:
        """Remove the work item and write what follows from it. The first COMMIT of a work item wins, whatever sends it.

        `continuation`: where this one wins, the same script claims items for the invocation, up to its capacity; a
        repeated one returns its earlier claims. None: claims nothing.
        """

        def places(tree: Tree) -> _Places:
            item, found = tree.items.get(claim.item_key), _read_by(changes, claim.job_id, tree)
            if item and item.kind is ItemKind.WAIT:
                found.append(((claim.job_id, item.call_id), True))
            return [*found, *outcomes_continued(claim, tree)] if continuation else found

        meter, usual = current(), None
        if continuation is not None and ItemKind.LOOP in continuation.leases_ms:  # it goes on with steps
            usual = partial(usual_step, claim, changes, continuation, meter)
        transition = Transition(
            job_id=claim.job_id,
            make=lambda draft: operations.commit(draft, claim, changes, continuation, self._retention_ms),
            messages=(claim.message_id,),
            jobs=_touched_by(changes, claim.job_id),
            item_key=claim.item_key,
            places=places,
            calls=lambda tree: calls_continued(claim, changes, tree) if continuation or changes.gives_up else (),
            turns=continuation is not None,
            ends=changes.ends,
            counts=counting(changes),
            size_chars=lambda: _size_of(changes),
            meter=meter,
            usual=usual,
        )
        return self._transactions.run(root_of(claim.job_id), transition)

    async def load(self, job_id: str) -> Loaded | None:
        """Load a job, to decide on a command; None when unknown."""
        [text] = await self._redis.read(("HGET", keys.state_key(job_id), f"job:{job_id}"))
        return Loaded(load_job(text, TreeTexts(self._redis.sealing, job_id)), text) if text else None

    async def record(
        self, loaded: Loaded, message_id: str, changes: Changes, now_ms: int
    ) -> tuple[Recorded, PendingItems]:
        """Write what follows from a command, with its backup message as relay, if the job is still as it was loaded."""
        job, names = loaded.job, list[str]()
        if changes.begins_again:
            [found] = await self._redis.read(("HKEYS", keys.calls_key(job.id)))
            names = [name.removeprefix(keys.RESULT) for name in found if name.startswith(keys.RESULT)]
        gone = [name for name in names if name.startswith("early:") or name in changes.forgets]
        transition = Transition(
            job_id=job.id,
            make=lambda draft: operations.record(draft, job, message_id, changes, now_ms, self._retention_ms),
            messages=(message_id,),
            jobs=_touched_by(changes, job.id),
            places=lambda tree: [*_read_by(changes, job.id, tree), *(((job.id, name), True) for name in gone)],
            ends=changes.ends,
            counts=counting(changes),
            size_chars=lambda: _size_of(changes),
        )
        recorded: tuple[Recorded, PendingItems] = await self._transactions.run(root_of(job.id), transition)
        return recorded

    def signal(
        self, job_id: str, message_id: str, signal: Signal, now_ms: int, counted_bytes: int = 0
    ) -> Coming[SignalAnswer]:
        """End a wait by a signal, or keep the signal until there is one. The first outcome of a call stays.

        `counted_bytes`: as of `create`.
        """

        def places(tree: Tree) -> _Places:
            waits = [item.call_id for item in tree.waits(job_id, now_ms) if not signal.call_id]
            own = [signal.call_id or f"event:{signal.id}", f"early:{signal.call_id}"]
            return [((job_id, name), True) for name in (*own, *waits)]

        transition = Transition(
            job_id=job_id,
            make=lambda draft: operations.signal(draft, job_id, message_id, signal, now_ms, counted_bytes),
            messages=(message_id,),
            jobs=_only(job_id),
            places=places,
            calls=lambda _: [(job_id, signal.call_id)] if signal.call_id else [],
        )
        return self._transactions.run(root_of(job_id), transition)

    def undelivered(self, claim: Claim, source_message_id: str, *, throttled: bool = False) -> Coming[Undelivered]:
        """Count, once for each callback message, that the queue gave up on the source message.

        `throttled`: its endpoint had no capacity. Then it counts as replayed, and not against the budget.
        """
        transition = Transition(
            job_id=claim.job_id,
            make=lambda draft: operations.undelivered(draft, claim, source_message_id, throttled=throttled),
            messages=(claim.message_id, source_message_id),
            jobs=_only(claim.job_id),
            calls=lambda _: [(claim.job_id, claim.call_id)] if claim.call_id else [],
        )
        return self._transactions.run(root_of(claim.job_id), transition)

    def renew(self, claims: Sequence[Claim], lease_until_ms: int) -> Coming[Sequence[str]]:
        """Prolong claims of one tree that their owners still hold; return the keys of the items that they do not."""
        job_id = claims[0].job_id
        transition = Transition(job_id=job_id, make=lambda draft: prolong(draft, claims, lease_until_ms), jobs=_none)
        return self._transactions.run(root_of(job_id), transition)

    def give_back(self, claim: Claim, now_ms: int, *, begun: bool) -> Coming[bool]:
        """End a claim that its owner still holds: the item is free at once, and no death is counted.

        Returns whether its owner held it. `begun`: a turn's model may have been called, which counts with the possible
        usage of attempts that died.
        """
        transition = Transition(
            job_id=claim.job_id, make=lambda draft: give_back(draft, claim, now_ms, begun=begun), jobs=_none
        )
        return self._transactions.run(root_of(claim.job_id), transition)

    def reconcile(
        self, root_id: str, message_id: str, now_ms: int, stalled_after_ms: int, slot_table: SlotTable, only: str = ""
    ) -> Coming[Reconciled]:
        """Make this message the relay of work items without a claim or replay for `stalled_after_ms`.

        The jobs' slot states are compared with the admission's `slot_table`, and slot requests repeated where they
        differ. `only`: the one job to check; empty: all jobs of the tree, whose entries the slot table must have.
        """
        transition = _reading(root_id, message_id, now_ms, stalled_after_ms, slot_table, only)
        return self._transactions.run(root_id, transition)

    async def reconcile_all(
        self, trees: Mapping[str, SlotTable], message_id: str, now_ms: int, stalled_after_ms: int
    ) -> dict[str, Reconciled]:
        """Reconcile many trees in one request, each with the entries of all of its jobs; by root job id."""
        parts_read = {
            root: _reading(root, message_id, now_ms, stalled_after_ms, slot_table) for root, slot_table in trees.items()
        }
        return dict(zip(trees, await self._transactions.run_each(parts_read), strict=True))

    def append(self, claim: Claim, sequence: int, parts: Sequence[str], text_id: str = "") -> Coming[bool]:
        """Append parts in mid-work, only while the claim holds the work item; return whether it does.

        `sequence` counts the appends under this claim from 1: one that was applied already is not applied again.
        `text_id`: the text of a turn that is open after these parts; one whose earlier parts are lost is refused.
        """
        transition = Transition(
            job_id=claim.job_id,
            make=lambda draft: operations.append(draft, claim, sequence, parts, text_id),
            jobs=_none,
            counts=of_deployment(checkpoints_in(parts)),
            size_chars=lambda: sum(map(len, parts)),
        )
        return self._transactions.run(root_of(claim.job_id), transition)


def _reading(
    root_id: str, message_id: str, now_ms: int, stalled_after_ms: int, slot_table: SlotTable, only: str = ""
) -> Transition:
    return Transition(
        job_id=root_id,
        make=lambda draft: operations.reconcile(draft, root_id, message_id, now_ms, stalled_after_ms, slot_table, only),
        messages=(message_id,),
        jobs=lambda tree: tree.jobs,
    )


def _none(_: Tree) -> tuple[str, ...]:
    return ()


def _only(job_id: str) -> Callable[[Tree], Iterable[str]]:
    return lambda _: (job_id,)


def _touched_by(changes: Changes, job_id: str) -> Callable[[Tree], Iterable[str]]:
    """Return the job, its parent where its end is reported to it, and the jobs that end with it."""
    names = [job_id, job_of_call(changes.report.call_id)] if changes.report else [job_id]
    if not (changes.ends or changes.gives_up):
        return lambda _: names
    return lambda tree: [*names, *(name for name in tree.jobs if name.startswith(f"{job_id}."))]


def _read_by(changes: Changes, job_id: str, tree: Tree) -> list[tuple[Place, bool]]:
    found: list[tuple[Place, bool]] = []
    for item in changes.items:
        if item.kind is ItemKind.WAIT:
            found += [((job_id, item.call_id), False), ((job_id, f"early:{item.call_id}"), False)]
            kept = tree.events.get(job_id, {})
            ids = [at.partition(":")[2] for at, name in kept.items() if name == item.event]
            found += [((job_id, f"event:{each}"), True) for each in ids]
    if changes.report:
        found.append(((job_of_call(changes.report.call_id), changes.report.call_id), False))
    return found


def _size_of(changes: Changes) -> int:
    texts: list[Any] = [*changes.results.values(), *changes.transcript, *changes.parts]
    return sum(map(len, texts))
