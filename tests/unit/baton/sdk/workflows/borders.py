"""Workflows whose values pass the border of the interpreter, each of its annotated type inside."""

from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from baton import Registry, tool, workflow

Odd = dict[int, dict[date, tuple[bytes, timedelta]]]


@tool
async def same(value: Odd) -> Odd:
    """Give a value back."""
    return value


@tool
async def lasts(value: timedelta) -> timedelta:
    """Give a value back."""
    return value


@tool
async def rates() -> dict[float, time]:
    """Give times by a number."""
    return {0.5: time(9, 30)}


@workflow
async def crosses(value: Odd, lasting: timedelta, raw: bytes, at: time, by: dict[Decimal, int]) -> dict[str, Any]:
    """Give values back as they are inside."""
    again = await same(value)
    long = await lasts(lasting)
    return {
        "inside": repr([value, lasting, raw, at, by]),
        "same": again == value and long == lasting,
        "rates": repr(await rates()),
    }


@workflow
async def gives_raw(raw: bytes, lasting: timedelta) -> dict[str, Any]:
    """Give values back."""
    return {"raw": raw, "lasting": lasting + timedelta(seconds=1)}


registry = Registry(workflows=[crosses, gives_raw])
