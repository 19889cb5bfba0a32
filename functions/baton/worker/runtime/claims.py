"""The claims of one invocation: prolonged in short steps while their work lives, given back where it is broken off.

A claim lasts for a few seconds, so another process soon takes over a step whose process dies. Work that is over before
the first step costs no request; all claims of a process come due together, and share requests. Invariant: a claim is
prolonged or given back only while its owner still holds it, which the store decides. So a late request takes nothing
from a process that has taken over.
"""

import asyncio
import contextlib
import logging
import math

from msgspec.structs import replace

from baton.engine.commit.answers import Claim, ClaimResult, Verdict
from baton.engine.work_items import ItemKind, kind_of
from baton.sdk.clock import Clock
from baton.sdk.tools.printed import CODE
from baton.store.redis.store import Store
from baton.worker.runtime.policy import (
    AGAIN_SECONDS,
    ANSWER_PAUSES_SECONDS,
    BEGIN_PAUSES_SECONDS,
    GIVE_BACK_SECONDS,
    LEASE_MARGIN_MS,
    LEASE_MS,
    RENEW_SECONDS,
    TOGETHER_SECONDS,
    Policy,
)
from baton_events.errors import AnswerEarlyError, NewerVersionError, StoreError

_log = logging.getLogger("baton.claims")


class Claims:
    """The claims that one invocation holds, all of one tree."""

    def __init__(self, store: Store, clock: Clock, policy: Policy) -> None:
        self._store, self._clock, self._policy = store, clock, policy
        self._held: dict[str, Claim] = {}
        self._since_seconds, self._since_ms = 0.0, 0  # when the first of them was claimed, on the loop's clock and ours
        self._timer: asyncio.TimerHandle | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def claim(self, claim: Claim) -> ClaimResult:
        """Claim a work item, and repeat that where the store fails: the same owner gets the same answer again.

        An item that cannot be worked on is given back: its process lives, so no death must be counted. Such is an item
        that only a newer version can read, or one of a CLAIM whose answer was lost.
        """
        pauses_seconds = iter(BEGIN_PAUSES_SECONDS)
        while True:
            try:
                claim_result = await self._store.claim(claim)
                return claim_result if claim.answer is None else await self._for_answer(claim, claim_result)
            except (NewerVersionError, StoreError) as error:
                pause_seconds = next(pauses_seconds, None) if isinstance(error, StoreError) else None
                until_ms = claim.now_ms + LEASE_MARGIN_MS
                if pause_seconds is None or self._clock.now_ms() + 1000 * pause_seconds >= until_ms:
                    await self._give_back(claim, begun=False)
                    raise
            await asyncio.sleep(pause_seconds)

    async def _for_answer(self, claim: Claim, claim_result: ClaimResult) -> ClaimResult:
        """Repeat CLAIM while the turn is busy: a copy of its event for later would not have the answer."""
        for pause_seconds in ANSWER_PAUSES_SECONDS:
            if claim_result.verdict is not Verdict.BUSY:
                return claim_result
            await asyncio.sleep(pause_seconds)
            now_ms = self._clock.now_ms()
            claim_result = await self._store.claim(replace(claim, now_ms=now_ms, lease_until_ms=now_ms + LEASE_MS))
        if claim_result.verdict is Verdict.BUSY:
            raise AnswerEarlyError(f"{claim.item_key} is worked on: its model's answer comes again")
        return claim_result

    def hold(self, claim: Claim) -> None:
        """Prolong the claim from now on. CLAIM's answer may have been slow, and the lease is no longer for that."""
        if not self._held:
            age_seconds = (self._clock.now_ms() - claim.now_ms) / 1000
            self._since_seconds = asyncio.get_running_loop().time() - max(0.0, age_seconds)
            self._since_ms = claim.now_ms
        self._held[claim.item_key] = claim
        self._policy.stopping.at_work += 1
        if self._timer is None and self._renewing is None:
            self._renew_soon()

    def move(self, done: Claim, following: Claim) -> None:
        """Hold the claim that follows from another one's work, which is done."""
        self._held.pop(done.item_key, None)
        self._held[following.item_key] = following

    def let_go(self, claim: Claim) -> None:
        """Release a claim at the end of its block."""
        self.done(claim)
        self._policy.stopping.at_work -= 1

    def done(self, claim: Claim) -> None:
        self._held.pop(claim.item_key, None)
        if not self._held and self._renewing is not None:
            self.rest()

    async def give_back(self, claim: Claim, *, begun: bool) -> bool:
        """Free the claim's item for any invocation at once, without counting a death.

        `begun`: a model may have been called, or a tool's code has begun. Returns whether it was held. Where the
        request does not reach the store, the claim ends by itself.
        """
        return self._held.pop(claim.item_key, None) is not None and await self._give_back(claim, begun=begun)

    async def break_off(self, claim: Claim, *, begun: bool) -> None:
        """Give back a claim whose work is broken off; where the process stops, log it."""
        if await self.give_back(claim, begun=begun) and self._policy.stopping.begun:
            _log.warning("%s is broken off, because the process stops. It runs again once one serves", claim.item_key)

    async def _give_back(self, claim: Claim, *, begun: bool) -> bool:
        with contextlib.suppress(NewerVersionError, StoreError, TimeoutError):
            async with asyncio.timeout(GIVE_BACK_SECONDS):
                return await self._store.give_back(claim, self._clock.now_ms(), begun=begun)
        return False

    def _due_seconds(self) -> float:
        """Return when the first of the held claims is due, on the loop's clock."""
        later_ms = min(claim.now_ms for claim in self._held.values()) - self._since_ms
        return next_step(self._since_seconds + max(0, later_ms) / 1000)

    def _renew_soon(self) -> None:
        self._timer = asyncio.get_running_loop().call_at(self._due_seconds(), self._begin)

    def _begin(self) -> None:
        """Prolong the held claims, unless they are newer ones: one timer serves all steps of an invocation."""
        self._timer = None
        if not self._held:
            return
        if asyncio.get_running_loop().time() < self._due_seconds():
            self._renew_soon()
        else:
            self._renewing = asyncio.create_task(self._renew())

    def rest(self) -> None:
        """Stop prolonging claims."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        again_seconds, now_ms = next_step(loop.time(), again=True), self._clock.now_ms()
        work_ms = {key: self._policy.longest_ms(kind_of(key)) for key in self._held}
        # Another process takes over work that hangs beyond its limit.
        if claims := [each for key, each in self._held.items() if now_ms < each.now_ms + work_ms[key]]:
            try:
                lost = await self._store.renew(claims, self._clock.now_ms() + LEASE_MS)
            except (NewerVersionError, StoreError) as error:  # the first: a codec of one's own cannot get its keys
                self._timer = loop.call_later(AGAIN_SECONDS, self._begin)
                _log.info("claims of %s are not prolonged, and are tried again: %s", claims[0].job_id, error)
            else:
                self._timer = loop.call_at(again_seconds, self._begin)
                for item_key in lost:  # another invocation works on it, or has done it; the work here may still count
                    self._held.pop(item_key, None)
        self._renewing = None


class Holding:
    """A claim held for the time of a block, or until it is `done`; if the block raises, it is given back."""

    __slots__ = ("_claims", "_is_held", "claim")

    def __init__(self, claims: Claims, claim: Claim, kind: ItemKind) -> None:
        self._claims, self.claim = claims, claim
        self._is_held = kind is not ItemKind.SLOT_REQUEST  # a slot request is not held

    async def __aenter__(self) -> None:
        if self._is_held:
            self._claims.hold(self.claim)

    async def __aexit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        """Release the claim; give it back where the block has raised."""
        if not self._is_held:
            return
        claim = self.claim
        try:
            if kind is not None and issubclass(kind, Exception | asyncio.CancelledError):
                # A tool's code begins after its call was let through: until then another invocation may begin it.
                begun = kind_of(claim.item_key) is not ItemKind.CALL or claim.call_id in CODE.get([])[:1]
                await self._claims.break_off(claim, begun=begun)
        finally:
            self._claims.let_go(claim)

    def move(self, claim: Claim) -> None:
        """Hold the claim that follows from the work of this one, which is done."""
        self._claims.move(self.claim, claim)
        self.claim = claim


def next_step(now_seconds: float, *, again: bool = False) -> float:
    """Return when a claim held now is prolonged: after `RENEW_SECONDS`, together with all of its process.

    `again`: it was prolonged just now; a delay of up to half of `TOGETHER_SECONDS` does not delay the next time.
    """
    earliest_seconds = now_seconds + RENEW_SECONDS - (TOGETHER_SECONDS / 2 if again else 0)
    return math.ceil(earliest_seconds / TOGETHER_SECONDS) * TOGETHER_SECONDS
