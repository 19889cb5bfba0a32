"""Every number that users declare, and every odd one: it is refused by its name, or stored and read again as it is."""

from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest
from msgspec.json import decode, encode

from baton import Agent, Budget, CallLimit, CodeMode, Limits, Memory, ScriptedModel, on, tool
from baton.engine.approvals import raised_limit
from baton.engine.state import CallRecord
from baton.engine.transitions import CallStatus
from baton.engine.waits import LIMIT_APPROVAL
from baton.sdk.agents.history import DropOldest, Summarize
from baton.sdk.agents.schedule import Schedule
from baton.sdk.records.limits import most_of
from baton.sdk.records.redaction import KnownSecrets
from baton.worker.commands.approve import EditError, edited
from baton_events.app_event import delay_ms


class Fine(float):
    """A number of its own kind."""


ODD = (nan, inf, -inf, -1, 1e300, 10**400, 2**63, True, "5", None, [1], Fine(2))
SECONDS, WHOLE = (*ODD, 0), (*ODD, 0, 1e6, 2.5)


def _agent(**options: Any) -> Agent:
    return Agent("a", ScriptedModel(["done"]), **options)


def _tool(**options: Any) -> None:
    @tool(**options)
    def act() -> None:
        """Act."""


def _handler(**options: Any) -> None:
    @on("order.created", **options)
    async def handle(event: Any, ctx: Any) -> None:
        """Handle."""


def _raised(**options: Any) -> None:
    """Let a person raise a limit."""
    [(limit, value)] = options.items()
    unit = {"usd": "cost_usd"}.get(limit, limit)
    about = {"limit": unit, "value": 0.5, "untilMs": 1}
    question = CallRecord(id="c", turn=1, position=1, tool=LIMIT_APPROVAL, arguments=about, status=CallStatus.WAITING)
    edited(question, {"value": value}, KnownSecrets(()), lambda *_: None)


Door = Callable[..., object]
DOORS: tuple[tuple[Door, str, tuple[Any, ...]], ...] = (
    *((Limits, name, WHOLE) for name in ("turns", "tool_calls", "tokens", "wall_seconds")),
    *((Limits, "depth", WHOLE[:-3]), (Limits, "cost_usd", SECONDS)),
    *((_raised, name, WHOLE) for name in ("turns", "tool_calls", "tokens", "wall_seconds")),
    (_raised, "cost_usd", SECONDS),
    (lambda usd: Budget("k", usd=usd), "usd", (*SECONDS, 1e10)),
    (lambda tokens: Budget("k", tokens=tokens), "tokens", WHOLE),
    (lambda reserve: Budget("k", usd=1, reserve=reserve), "reserve", (*SECONDS, 1e10)),
    (lambda reserve: Budget("k", tokens=1, reserve=reserve), "reserve", SECONDS),
    (lambda per_minute: CallLimit("k", per_minute=per_minute), "per_minute", (*SECONDS, 5e-324)),
    (lambda in_flight: CallLimit("k", in_flight=in_flight), "in_flight", WHOLE),
    (CodeMode, "seconds", SECONDS),
    *((CodeMode, name, WHOLE) for name in ("memory_mb", "calls_at_once", "output_chars")),
    *((Memory, "recent", (*ODD, 2.5)), (Memory, "similar", (*ODD, 2.5)), (Memory, "minimum_score", ODD)),
    *((_agent, "max_rounds", WHOLE), (_agent, "model_retries", (*ODD, 2.5)), (_agent, "cache_seconds", (*ODD, 2.5))),
    (lambda timeout: _agent(model_settings={"timeout": timeout}), "timeout", SECONDS),
    (lambda max_tokens: _agent(model_settings={"max_tokens": max_tokens}), "max_tokens", WHOLE),
    *((kind, "max_tokens", WHOLE) for kind in (DropOldest, Summarize)),
    *((make, "timeout_seconds", SECONDS) for make in (_tool, _handler)),
    *((make, "retry_delay_seconds", ODD) for make in (_tool, _handler)),
    *((make, "retries", (*ODD, 2.5)) for make in (_tool, _handler)),
    *((_handler, "concurrency", WHOLE), (_handler, "debounce_seconds", ODD)),
    (lambda backfill: Schedule("s", "0 9 * * *", agent="a", backfill=backfill), "backfill", (*ODD, 2.5)),
    (delay_ms, "delay_seconds", ODD),
)
_OPTIONAL = {"cost_usd", "usd", "tokens", "reserve", "per_minute", "in_flight", "concurrency"}


@pytest.mark.parametrize(("door", "name", "odd"), DOORS)
def test_an_odd_number_is_refused_by_its_name(door: Door, name: str, odd: tuple[Any, ...]) -> None:
    for value in odd:
        if value is None and name in _OPTIONAL and door is not _raised:
            continue
        with pytest.raises((ValueError, TypeError, EditError)) as refused:
            door(**{name: value})
        said = str(refused.value)
        assert "not supported between" not in said, (value, said)
        assert name in said or "arguments.value" in said, (value, said)


@pytest.mark.parametrize("name", ["turns", "tool_calls", "tokens", "wall_seconds", "depth", "cost_usd"])
@pytest.mark.parametrize("value", [1, 3, 1_000_000])
def test_limits_that_are_taken_are_read_again(name: str, value: int) -> None:
    given: dict[str, Any] = {name: value}
    limits = Limits(**given)
    assert decode(encode(limits), type=Limits) == limits


@pytest.mark.parametrize("unit", ["turns", "tool_calls", "tokens", "wall_seconds", "cost_usd", "usd"])
def test_an_approval_without_a_value_raises_a_limit_as_far_as_one_may_be(unit: str) -> None:
    name = {"usd": "cost_usd"}.get(unit, unit)
    most = most_of(name)
    for value, doubled in ((2, 4), (most // 2 + 1, most), (most, most)):
        about = {"limit": "budget" if unit == "usd" else unit, "unit": unit, "value": value}
        question = CallRecord(
            id="c", turn=1, position=1, tool=LIMIT_APPROVAL, arguments=about, status=CallStatus.WAITING
        )
        assert raised_limit(question, {}) == doubled
        limits: dict[str, Any] = {name: raised_limit(question, {})}
        assert Limits(**limits)
