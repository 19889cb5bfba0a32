"""Handlers of events, for `BATON_APP`: they note what they take, and one fails until a file is there."""

import os
from pathlib import Path

from pydantic import BaseModel

from baton import Event, HandlerContext, Registry, on

_NOTES = Path(os.environ["NOTES"])  # noqa: TID251 - a user's handler may read its environment


class Order(BaseModel):
    number: str


def note(line: str) -> None:
    with _NOTES.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


@on("order.created", schema=Order)
async def book(event: Event[Order], ctx: HandlerContext) -> str:
    """Book an order, and emit that it is booked."""
    note(f"book {event.data.number} {ctx.idempotency_key}")
    await ctx.emit("order.booked", {"number": event.data.number}, key=event.key)
    return event.data.number


@on("order.booked", retries=1, retry_delay_seconds=0.1)
def pack(event: Event, ctx: HandlerContext) -> None:
    """Pack an order, once there is a box."""
    note(f"pack {event.data['number']} {ctx.idempotency_key}")
    if not _NOTES.with_suffix(".box").exists():
        raise RuntimeError("there is no box")


@on("parcel.ready", batch=(3, 60))
async def send(events: list[Event], ctx: HandlerContext) -> None:
    """Send parcels together."""
    note(f"send {'+'.join(event.data for event in events)} {ctx.idempotency_key}")


registry = Registry(handlers=[book, pack, send])
