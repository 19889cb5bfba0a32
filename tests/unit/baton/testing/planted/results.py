"""Results that are no JSON."""

from threading import Lock
from typing import Any

from baton import tool
from tests.unit.baton.testing.planted import outside


@tool
def an_object() -> Any:
    return object()


@tool
def a_function() -> Any:
    return lambda: "later"


@tool
def a_circle() -> Any:
    circle: list[Any] = []
    circle.append(circle)
    return circle


@tool
async def raw_bytes() -> Any:
    return {"image": b"\xff\xd8\xff"}


@tool
def a_lock() -> Any:
    return {"lock": Lock(), "held": False}


PLANTED = {one.name: outside.registry([one]) for one in (an_object, a_function, a_circle, raw_bytes, a_lock)}
