"""The store of one process, as its functions see it: the product's own client, over a connection that fails.

Every write is shown to the invariants, with the tag's version before and after (store_writes.py). Since neither trees
nor keys ever change, versions cost nothing, and reads may show an older one.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from baton.engine.all_jobs.slots import SlotTable
from baton.engine.commit.answers import Claim, ClaimResult, Committed, Loaded, Reconciled, Undelivered
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.store.redis.store import Store
from baton_events.errors import StoreError
from tests.simulation.histories import ON_GIVEN, Given, given_in
from tests.simulation.invocation import CURRENT, Invocation
from tests.simulation.store_connection import REQUESTED, Requested, SimConnection, WatchedTransactions
from tests.simulation.store_writes import received
from tests.simulation.stored import RETENTION_MS
from tests.simulation.versions import as_another_version_writes, is_other_version

if TYPE_CHECKING:
    from tests.simulation.world import World

_P = ParamSpec("_P")
_T = TypeVar("_T")


class WatchedTreeStore(Store):
    """`Store`, whose transitions are seen as they are made."""

    def __init__(self, connection: SimConnection, prompt_limit_bytes: int) -> None:
        super().__init__(connection, RETENTION_MS, prompt_limit_bytes=prompt_limit_bytes)
        usual = self._transactions
        self._transactions = WatchedTransactions(connection, usual._kept, usual._most_bytes, usual._known_chars)


class SimStore(Store):
    """`Store` of one process behind a wire."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._store = WatchedTreeStore(SimConnection(world), world.plan.prompt_limit_bytes)

    async def create(self, changes: Changes, *given: Any, **named: Any) -> Any:
        changes = self._written(changes)
        return await self._run(Requested(CURRENT.get(), "create"), self._store.create, changes, *given, **named)

    async def claim(self, claim: Claim) -> ClaimResult:
        who = CURRENT.get()
        self._continues(who, claim.item_key, goes_on=True)
        return await self._run(Requested(who, "claim", claim), self._store.claim, claim)

    async def commit(self, claim: Claim, changes: Changes, continuation: Continuation | None = None) -> Committed:
        who, changes = CURRENT.get(), self._written(changes)
        self._continues(who, claim.item_key, goes_on=continuation is not None)
        requested = Requested(who, "commit", claim, gives_slot=changes.admitted)
        return await self._run(requested, self._store.commit, claim, changes, continuation)

    def _continues(self, who: Invocation, item_key: str, *, goes_on: bool) -> None:
        if goes_on and who.zombie and not who.stalled and not who.dead:
            self._world.broken("a_chain_ends_before_the_queue_gives_up", f"{who.name} goes on after {item_key}")

    async def renew(self, claims: Sequence[Claim], lease_until_ms: int) -> Sequence[str]:
        requested = Requested(CURRENT.get(), "renew", claims[0], "store-renew")
        return await self._run(requested, self._store.renew, claims, lease_until_ms)

    async def give_back(self, claim: Claim, now_ms: int, *, begun: bool) -> bool:
        requested = Requested(CURRENT.get(), "give_back", claim)
        return await self._run(requested, self._store.give_back, claim, now_ms, begun=begun)

    async def undelivered(self, claim: Claim, source_message_id: str, *, throttled: bool = False) -> Undelivered:
        requested = Requested(CURRENT.get(), "undelivered", claim)
        return await self._run(requested, self._store.undelivered, claim, source_message_id, throttled=throttled)

    async def reconcile(self, *given: Any, **named: Any) -> Any:
        return await self._run(Requested(CURRENT.get(), "reconcile"), self._store.reconcile, *given, **named)

    async def reconcile_all(
        self, trees: Mapping[str, SlotTable], message_id: str, now_ms: int, stalled_after_ms: int
    ) -> dict[str, Reconciled]:
        """Look at many trees; each is found as it is at another moment."""
        return {root: await self.reconcile(root, message_id, now_ms, stalled_after_ms, trees[root]) for root in trees}

    async def load(self, job_id: str) -> Loaded | None:
        return await self._run(Requested(CURRENT.get(), "load"), self._store.load, job_id)

    async def record(self, loaded: Loaded, message_id: str, changes: Changes, *given: Any, **named: Any) -> Any:
        changes = self._written(changes)
        return await self._run(
            Requested(CURRENT.get(), "record"), self._store.record, loaded, message_id, changes, *given, **named
        )

    async def signal(self, *given: Any, **named: Any) -> Any:
        return await self._run(Requested(CURRENT.get(), "signal"), self._store.signal, *given, **named)

    async def append(self, claim: Claim, sequence: int, parts: Sequence[str], text_id: str = "") -> bool:
        requested = Requested(CURRENT.get(), "append", claim, "store-in-talk" if text_id else "store-in-work")
        requested.sequence = sequence
        return await self._run(requested, self._store.append, claim, sequence, parts, text_id)

    def _written(self, changes: Changes) -> Changes:
        if is_other_version(self._world, CURRENT.get()):
            return as_another_version_writes(self._world, changes)
        return changes

    async def _run(
        self, requested: Requested, ask: Callable[_P, Coroutine[Any, Any, _T]], *given: _P.args, **named: _P.kwargs
    ) -> _T:
        """One operation; what it writes is shown to the invariants when it is applied."""
        if requested.who.dead:  # what it asks might be done by another one of its process
            self._world.wire.stop(requested.who, f"store.{requested.op}")
        token = REQUESTED.set(requested)
        try:
            answer = await ask(*given, **named)
        except StoreError:
            requested.who.check_alive()  # another one of its process may have asked for it
            raise
        finally:
            REQUESTED.reset(token)
        requested.who.check_alive()
        if not requested.was_written and requested.claim and (requested.op == "append" or not requested.who.stalled):
            tree = self._world.tree(requested.claim.job_id)
            received(self._world, requested, answer, tree, tree)
        for claim_result in given_in(answer):
            if claim_result.state is not None:
                tree = self._world.tree(claim_result.state.job.id)
                self._world.check(ON_GIVEN, Given(claim_result, tree, self._world.plan.prompt_limit_bytes))
        return answer
