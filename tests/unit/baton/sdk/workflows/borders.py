"""Workflows whose values pass the border of the interpreter, each of its annotated type inside."""

from dataclasses import dataclass
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
async def any_of(value: Any) -> Any:
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


@workflow
async def views(kind: str) -> Any:
    """Return what is no data."""
    named: dict[str, Any] = {"a": 1}
    odd: Any = None
    match kind:
        case "range":
            odd = range(3)
        case "keys":
            odd = [named.keys()]
        case "values":
            odd = await any_of(named.values())
        case "items":
            odd = {"a": (named.items(),)}
        case "cycle":
            named["self"] = [named]
            odd = await any_of(named)
        case _:
            shared = [1]
            odd = {"a": shared, "b": [shared, shared], "c": list(named.keys())}
    return odd


@dataclass
class Holds:
    """A value with anything in a field."""

    what: Any


class Plain:
    """A value with anything in what is set of it."""

    names = {"a": 1}.keys()


@workflow
async def holds(kind: str) -> Any:
    """Return what is no data inside of what is, or pass it."""
    odd: Any = {0: "a", True: "b", 2.5: "c"}
    match kind:
        case "view":
            odd = Holds({"a": 1}.keys())
        case "deep view":
            odd = [Holds([Holds({"a": 1}.items())])]
        case "passed view":
            odd = await any_of(Holds({"a": 1}.values()))
        case "a plain view":
            odd = Plain()
            odd.what = {"a": 1}.values()
        case "a passed plain view":
            odd = Plain()
            odd.what = [{"a": 1}.keys()]
            odd = await any_of([odd])
        case "cycle":
            odd = Holds(None)
            odd.what = {"a": [odd]}
        case "pair":
            odd = {(1, 2): 3}
        case "infinite":
            odd = {"a": {1.5: 1, float("inf"): 2}}
        case "passed pair":
            odd = await any_of({(1, 2): 3})
        case _:
            pass
    return odd


registry = Registry(workflows=[crosses, gives_raw, views, holds])
