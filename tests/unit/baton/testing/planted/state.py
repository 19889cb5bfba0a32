"""State in module globals."""

import itertools

from baton import ToolContext, ToolError, tool
from baton.testing import Simulation
from tests.unit.baton.testing.planted import outside

token = ""
seen: list[str] = []
numbers = itertools.count(1)


class Session:
    def __init__(self) -> None:
        self.user = ""


class Basket:
    items: list[str] = []  # noqa: RUF012 - planted


session = Session()


@tool
def login() -> str:
    global token  # noqa: PLW0603 - planted
    token = "secret"
    return "logged in"


@tool
def read_account() -> str:
    if not token:
        raise ToolError("log in first")
    return "40 euros"


@tool
def remember_item() -> int:
    seen.append("item")
    return len(seen)


@tool
def count_items() -> int:
    return len(seen)


@tool
def order(ctx: ToolContext) -> str:
    number = next(numbers)
    Simulation.effect(f"order {number} of {ctx.job_id}")
    return f"order {number}"


@tool
def enter() -> str:
    session.user = "Ada"
    return "entered"


@tool
def greet() -> str:
    return f"Hello {session.user}"


@tool
def put() -> str:
    Basket.items.append("book")
    return "put"


@tool
def pay_basket(ctx: ToolContext) -> str:
    for item in Basket.items:
        Simulation.effect(f"{ctx.idempotency_key}:{item}")
    return "paid"


PLANTED = {
    "token": outside.registry([login, read_account]),
    "list": outside.registry([remember_item, count_items]),
    "counter": outside.registry([login, order]),
    "instance": outside.registry([enter, greet]),
    "class": outside.registry([put, pay_basket]),
}
