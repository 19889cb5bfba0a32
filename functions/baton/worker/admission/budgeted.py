"""Model calls within budgets: each reserves what it may cost before it begins, and settles what it has cost after it.

Invariant: no model is asked before all budgets of the call have room, and one that may have been asked is never given
back: without an answer it counts in full, at once or at the end of its lease. Must not: count a wait as an attempt.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from baton.engine.approvals import raised_event
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import BUDGET_EXCEEDED, Alert, CallModel, Work
from baton.engine.step_results import ModelFailed, ModelWaits, OverBudget, StepResult, used_by
from baton.engine.waits import BUDGET, limit_text
from baton.sdk.records.budget import Budget, OnUsedUp, Unit, amount_of, periods_around, shown_amount
from baton.sdk.records.call_limit import LimitedCall
from baton.sdk.records.transcript import Failure
from baton.sdk.tools.running_calls import NotYetError
from baton.store.records.budgets import Reached, Reservation, Want
from baton.store.redis.budgets import Budgets
from baton.worker.admission.limited_calls import Executing, Waking, call_of, key_failed, waiting_event
from baton_events.emitter import Emitter
from baton_events.errors import BatonError
from baton_events.schema import encode_event

_log = logging.getLogger("baton.budgets")

# A call asks again after this, then after as long as it has waited, at most after the longest.
_FIRST_MS, _LONGEST_MS = 1_000, 60_000
# Those who waited for a period come spread over this time.
_SPREAD_MS = 60_000


class Declared(Struct, frozen=True):
    """The budgets that a call has to keep.

    `bound`: the most that it costs in a unit, by its model; 0: that is not known. `lease_ms`: how long it may take.
    """

    budgets: Sequence[Budget]
    bound: Callable[[Unit], float]
    lease_ms: int


class Reserved(Struct, frozen=True):
    """What a call has reserved, and what of it has been spent before its answer: in dollars, and in tokens."""

    name: str
    periods: tuple[str, ...]
    usd: float = 0.0
    tokens: int = 0


class Budgeted(Waking):
    """Runs `executor` within the budgets that are `declared` for it. `alerting`: takes alerts; None: nobody does."""

    def __init__(
        self,
        executor: Executing,
        declared: Callable[[CallModel, History], Declared | None],
        budgets: Budgets,
        emitter: Emitter,
        alerting: Callable[[Alert], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(executor, emitter)
        self._declared, self._budgets, self._alerting = declared, budgets, alerting

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Do the work.

        Raises NotYetError: it has to wait for what others have reserved, and has not begun. StoreError: no call is
        made while its budgets are not known.
        """
        assert isinstance(effect, CallModel), "no other calls have budgets"
        known: dict[str, Any] = effect.memo.get(BUDGET, {})
        effect = replace(effect, memo={name: value for name, value in effect.memo.items() if name != BUDGET})
        declared = self._declared(effect, history)
        if declared is None:
            return await self.executor(effect, history, claim)
        try:
            wants, on_limits = _wants_of(declared, call_of(effect, history), effect, claim.now_ms)
        except Exception as error:  # noqa: BLE001 - a user's own function
            return ModelFailed(key_failed("Budget", error))
        if effect.offloaded or claim.answer is not None:  # it has begun when its request was sent
            reserved = _known_of(known, wants, _name_of(effect, claim))
        else:
            await self._raised(effect, claim, known)
            found = await self._reserved(effect, claim, wants, on_limits, declared.lease_ms)
            if not isinstance(found, Reserved):
                return found
            reserved = found
        step_result = await self.executor(effect, history, claim)
        if isinstance(step_result, ModelWaits):
            used = step_result.extra_usage
            tokens = reserved.tokens + used.input_tokens + used.output_tokens
            spent = replace(reserved, usd=reserved.usd + used.cost_usd, tokens=tokens)
            return replace(step_result, memo={**step_result.memo, BUDGET: asdict(spent)})
        await self._settle(effect, claim, wants, reserved, step_result)
        return step_result

    async def _reserved(
        self, effect: CallModel, claim: Claim, wants: Sequence[Want], on_limits: Sequence[OnUsedUp], lease_ms: int
    ) -> Reserved | StepResult:
        """Reserve in all budgets; or return what follows where one of them is used up."""
        name = _name_of(effect, claim)
        reservation = await self._budgets.reserve(wants, name, waiting_event(effect, claim), lease_ms)
        await self._alert(effect, wants, reservation.reached)
        if reservation.outcome == "granted":
            return Reserved(name, reservation.periods)
        want = wants[reservation.want]
        if reservation.outcome == "busy":
            wait_ms = min(_LONGEST_MS, max(_FIRST_MS, reservation.waited_ms))
            raise NotYetError(wait_ms, f"budget {want.key!r}")
        return _used_up(want, on_limits[reservation.want], reservation, claim.now_ms)

    async def _raised(self, effect: CallModel, claim: Claim, known: Mapping[str, Any]) -> None:
        """Raise the limit that a person has raised, for everybody, once: meanwhile an operator may lower it."""
        if "raise" in known:
            limit = amount_of(known["unit"], known["raise"])
            of_budget = (known["key"], known["per"], known["unit"], known["period"])
            woken = await self._budgets.raise_limit(*of_budget, limit, once=claim.item_key)
            await self.wake(woken, claim, _why(_name_of(effect, claim), "raised"))

    async def _settle(
        self, effect: CallModel, claim: Claim, wants: Sequence[Want], reserved: Reserved, step_result: StepResult | None
    ) -> None:
        """Let the real cost take the place of what was reserved; where that fails, it counts in full later."""
        used = used_by(step_result)
        usd, tokens = reserved.usd + used.cost_usd, reserved.tokens + used.input_tokens + used.output_tokens
        in_full = isinstance(step_result, ModelFailed) and step_result.unanswered
        costs = [None if in_full else amount_of(one.unit, usd if one.unit == "usd" else tokens) for one in wants]
        try:
            settled = await self._budgets.settle(wants, reserved.periods, reserved.name, costs)
        except BatonError as error:
            _log.warning("the budgets of %s do not know yet what it has cost: %s", claim.item_key, error)
        else:
            await self.wake(settled.woken, claim, _why(reserved.name, "settled"))
            await self._alert(effect, wants, settled.reached)

    async def _alert(self, effect: CallModel, wants: Sequence[Want], reached: Sequence[Reached]) -> None:
        if self._alerting is not None:
            for alert in budget_alerts(effect.job.id, wants, reached):
                await self._alerting(alert)


def _wants_of(
    declared: Declared, call: LimitedCall, effect: CallModel, now_ms: int
) -> tuple[tuple[Want, ...], tuple[OnUsedUp, ...]]:
    """Return what a call wants of each budget, in a fixed order; of two limits of one budget the lower one."""
    found = dict[tuple[str, str, str, str], tuple[Want, OnUsedUp]]()
    for one in declared.budgets:
        last = effect.job.reserve_usd if one.unit == "usd" else effect.job.reserve_tokens
        most = one.reserve if one.reserve is not None else max(last, declared.bound(one.unit))
        want = Want(
            one.key_of(call),
            one.per,
            one.unit,
            one.time_zone,
            one.limit,
            amount_of(one.unit, most) if most else None,
            periods_around(one.per, one.time_zone, now_ms),
            fixed=one.reserve is not None,
            waits=one.on_limit != "fail",
        )
        if one.on_limit == "ask":
            answer = raised_event(effect.job, effect.turn, effect.attempt, want.key, want.per, want.unit)
            want = replace(want, asks=encode_event(answer))
        name = (want.key, want.per, want.unit, want.zone)
        if name not in found or found[name][0].limit > want.limit:
            found[name] = (want, one.on_limit)
    chosen = [found[name] for name in sorted(found)]
    return tuple([want for want, _ in chosen]), tuple([on_limit for _, on_limit in chosen])


def _name_of(effect: CallModel, claim: Claim) -> str:
    return f"{claim.item_key}:{effect.lost}"


def _why(name: str, what: str) -> str:
    return f"{what}.{name.replace(':', '.')}"


def _known_of(known: Mapping[str, Any], wants: Sequence[Want], name: str) -> Reserved:
    """Return what an offloaded call has reserved; its own name finds it, whatever the period."""
    periods = tuple(known.get("periods", ()))
    if len(periods) != len(wants):  # it began without these budgets, and counts in them all the same
        periods = tuple([one.periods[len(one.periods) // 2].name for one in wants])
    return Reserved(known.get("name", name), periods, known.get("usd", 0.0), known.get("tokens", 0))


def _used_up(want: Want, on_limit: OnUsedUp, reservation: Reservation, now_ms: int) -> StepResult:
    about: dict[str, Any] = {
        "limit": BUDGET,
        "key": want.key,
        "per": want.per,
        "period": reservation.period,
        "unit": want.unit,
    }
    sums = {"value": reservation.limit, "spent": reservation.spent, "asked": reservation.asked}
    about |= {name: shown_amount(want.unit, amount) for name, amount in sums.items()}
    if on_limit == "fail":
        return ModelFailed(Failure(BUDGET_EXCEEDED, limit_text(about)))
    return OverBudget(about, _comes_ms(want, reservation, now_ms) if on_limit == "wait" else 0)


def _comes_ms(want: Want, reservation: Reservation, now_ms: int) -> int:
    """Return when a call that waits for the next period comes: who came earlier in this one comes earlier."""
    begins_ms = next((one.begins_ms for one in want.periods if one.name == reservation.period), now_ms)
    share = (now_ms - begins_ms) / max(1, reservation.resets_ms - begins_ms)
    return reservation.resets_ms + int(_SPREAD_MS * min(1.0, max(0.0, share)))


def budget_alerts(job_id: str, wants: Sequence[Want], reached: Sequence[Reached]) -> tuple[Alert, ...]:
    """Return an alert for each share that a call's budgets have reached: once for a period, whoever reached it."""
    return tuple(_alert(job_id, wants[one.want], one) for one in reached)


def _alert(job_id: str, want: Want, reached: Reached) -> Alert:
    spent, limit = _text(want.unit, reached.spent), _text(want.unit, reached.limit)
    text = (
        f"the budget {want.key!r} for {reached.period} has reached {reached.percent} %: {spent} of {limit} {want.unit}"
    )
    once = ":".join(("budget", want.key, want.per, want.unit, reached.period, str(reached.percent), limit))
    return Alert(job_id, text, "budget", once)


def _text(unit: Unit, amount: int) -> str:
    shown = shown_amount(unit, amount)
    return f"{shown:,.2f}" if unit == "usd" else f"{shown:,.0f}"
