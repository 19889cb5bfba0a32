"""`@on`: what it takes, and what a registry makes of handlers."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BeforeValidator

from baton import Agent, Event, HandlerContext, Registry, ScriptedModel, ToolContext, on
from baton.sdk.agents.handler import Misfit


def test_an_option_that_cannot_be_is_named() -> None:
    for wrong in ({"concurrency": 0}, {"concurrency": True}, {"debounce_seconds": -1}, {"retries": -1}):
        options: dict[str, Any] = wrong
        with pytest.raises((ValueError, TypeError), match=next(iter(wrong))):
            on("order.created", **options)(nothing)
    for batch, others, why in (
        ((0, 5), {}, "size must be from 1 to 100, got 0"),
        ((101, 5), {}, "size must be from 1 to 100, got 101"),
        ((5, 0), {}, "seconds must be over 0, and at most 604800, got 0"),
        ((5, float("nan")), {}, "seconds must be over 0"),
        ((True, 5), {}, "must be .size, seconds."),
        (5, {}, "batch=5 must be .size, seconds."),
        ((5, 5), {"key_order": True}, "cannot go with key_order"),
        ((5, 5), {"debounce_seconds": 1}, "cannot go with debounce_seconds"),
    ):
        options = {"batch": batch, **others}
        with pytest.raises((ValueError, TypeError), match=why):
            on("order.created", **options)(nothing)
    with pytest.raises(ValueError, match="no event name"):
        on("no name")
    with pytest.raises(TypeError, match="async"):
        on("order.created", debounce_seconds=1)(blocking)
    with pytest.raises(TypeError, match="an event and a context"):
        on("order.created")(without_context)


async def nothing(event: Event, ctx: HandlerContext) -> None:
    """Do nothing."""


def blocking(event: Event, ctx: HandlerContext) -> None:
    """Run in a thread."""


async def without_context(event: Event) -> None:
    """Take too little."""


def _renamed(data: dict[str, Any]) -> dict[str, Any]:
    return {"total": data.pop("sum")}


def _fails(data: Any) -> Any:
    raise SystemExit(data)


def test_a_schema_leaves_the_event_s_data_as_it_came() -> None:
    """It is checked when it comes, and converted for the run."""
    handler = on("order.created", schema=Annotated[dict[str, Decimal], BeforeValidator(_renamed)])(nothing)
    data = {"sum": "1.10"}
    assert [handler.check(data) for _ in range(2)] == [{"total": Decimal("1.10")}] * 2
    assert data == {"sum": "1.10"}
    odd = on("order.created", schema=Annotated[Any, BeforeValidator(_fails)])(nothing)
    with pytest.raises(Misfit, match="data: SystemExit: 3"):
        odd.check(3)


def test_a_registry_refuses_handlers_that_do_not_go_together() -> None:
    once, clerk = on("order.created")(nothing), Agent(name="nothing", model=ScriptedModel(["done"]))
    other: Any = nothing
    with pytest.raises(ValueError, match="two agents are named 'nothing'"):
        Registry(handlers=[once, once])
    with pytest.raises(ValueError, match="two agents are named 'nothing'"):
        Registry([clerk], handlers=[once])
    with pytest.raises(ValueError, match="would have one topic, 'order-created'"):
        Registry([Agent(name="a", model=ScriptedModel(["done"]), on="order-created")], handlers=[once])
    with pytest.raises(TypeError, match="decorate the function"):
        Registry(handlers=[other])
    with pytest.raises(ValueError, match="event of Baton"):
        Agent(name="a", model=ScriptedModel(["done"]), on="agent.tool.call")


def test_events_without_a_key_spread_over_all_lanes() -> None:
    """Those of one key stay in one lane."""
    handler = on("order.created", key_order=True, concurrency=8)(nothing)
    ids = [f"evt_{number}" for number in range(100)]
    assert len({handler.session_of(event_id, "") for event_id in ids}) == 8
    assert len({handler.session_of(event_id, "A-7") for event_id in ids}) == 1


async def test_a_handler_is_called_as_its_function_is() -> None:
    """So it can be tested as one; its context keeps what it emits and starts."""

    @on("order.created")
    async def book(event: Event, ctx: HandlerContext) -> str:
        await ctx.emit("order.booked", event.data, key=event.key)
        return await ctx.start("writer", "Write.", input_data={"number": 7})

    call, at = ToolContext.for_test(attempt=2), datetime(2026, 1, 1, tzinfo=UTC)
    event = Event(id="e", name="order.created", key="A-7", data=7, created_at=at)
    assert await book(event, HandlerContext(call)) == "job_1"
    assert call.recorder.outlet.emitted == [("order.booked", 7, "A-7", 0)]
    assert call.recorder.outlet.started == [("writer", "Write.", {"number": 7}, "")]
    assert (HandlerContext(call).attempt, HandlerContext(call).idempotency_key) == (2, "key-test")
