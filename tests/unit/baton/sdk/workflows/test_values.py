"""What a step returned comes to the code as its annotation names it, also from a record, and with its secrets."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import UUID

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from baton import Agent, Decision, Pending, Registry, ScriptedModel, approval, tool, workflow
from baton.testing import Approve, Reject, Simulation
from tests.unit.baton.sdk.workflows.conftest import Load


class Size(Enum):
    SMALL = "s"
    LARGE = "l"


class Rank(IntEnum):
    FIRST = 1


@dataclass(frozen=True)
class Point:
    x: int
    y: float = 0


class Line(BaseModel):
    sku: str = Field(alias="SKU")
    price: Decimal = Decimal(1)
    tags: frozenset[str] = frozenset()


class Order(BaseModel):
    lines: list[Line]
    at: datetime
    parent: "Order | None" = None


class Pair(NamedTuple):
    a: int
    b: str


class Named(TypedDict):
    on: date


DAY = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
LINE = Line.model_validate({"SKU": "a", "price": "1.10", "tags": {"x", "y"}})
EMPTY: tuple[Any, ...] = (None, "", "null", "a", 0, False, [], {}, [None])
# Each with an annotation.
VALUES: tuple[tuple[Any, Any], ...] = (
    (int, 7),
    (float, 1.0),
    (str, "text"),
    (bool, True),
    (None, None),
    (bytes, b"raw"),
    (Decimal, Decimal("1.10")),
    (datetime, DAY),
    (date, DAY.date()),
    (time, DAY.time()),
    (timedelta, timedelta(days=1, microseconds=1)),
    (UUID, uuid.UUID(int=7)),
    (Path, Path("a/b")),
    (Size, Size.LARGE),
    (Rank, Rank.FIRST),
    (Point, Point(1, 2.5)),
    (Line, LINE),
    (Order, Order(lines=[LINE], at=DAY, parent=Order(lines=[], at=DAY))),
    (Pair, Pair(1, "b")),
    (Named, {"on": DAY.date()}),
    (list[Point], [Point(1), Point(2)]),
    (tuple[int, Size], (1, Size.SMALL)),
    (set[int], {3, 1}),
    (frozenset[Decimal], frozenset({Decimal(1)})),
    (dict[UUID, list[date]], {uuid.UUID(int=1): [DAY.date()]}),
    (dict[int, Point], {1: Point(2)}),
    (Sequence[Decimal], [Decimal(1)]),
    (Iterable[Point], [Point(1)]),
    (Point | None, Point(3)),
    (Point | Line | int, LINE),
    (Literal["a", 1], 1),
    (Decision, Decision(approved=False, data={"a": 1}, reason="no")),
    (Any, {"b": [1], "a": None}),
    # Nothing is told from an empty text.
    *((str | None, each) for each in EMPTY[:3]),
    *((Any, each) for each in EMPTY),
)


def _passing(annotation: Any, value: Any) -> tuple[Any, list[Any]]:
    """Make a workflow that gets a value from a tool, and from a workflow below; what they get is in the list."""
    seen = list[Any]()

    async def returned() -> Any:
        """Return it."""
        return value

    returned.__annotations__["return"] = annotation
    step = tool(returned)

    async def child() -> Any:
        return await step()

    child.__annotations__["return"] = annotation
    below = workflow(name="below")(child)

    @workflow
    async def main() -> None:
        seen.append(await step())
        seen.append(await below())

    return [main, below], seen


@pytest.mark.parametrize(("annotation", "value"), VALUES, ids=[str(each[0]) for each in VALUES])
async def test_a_result_has_the_type_that_its_step_names(annotation: Any, value: Any) -> None:
    programs, seen = _passing(annotation, value)
    run = await Simulation(Registry(workflows=programs)).run("main", "")
    assert run.status == "completed", run.error
    assert seen[-2:] == [value, value]
    assert [type(each) for each in seen[-2:]] == [type(value)] * 2


async def test_the_order_of_names_stays() -> None:
    programs, seen = _passing(list[Any], [{"b": 1, "a": 2}])
    run = await Simulation(Registry(workflows=programs)).run("main", "")
    assert run.status == "completed", run.error
    assert list(seen[0][0]) == ["b", "a"]


class Answer(BaseModel):
    text: str
    score: int


judge = Agent("judge", model=ScriptedModel([Answer(text="good", score=2).model_dump_json()]), output_type=Answer)


async def test_an_agent_with_an_output_type_gives_it_and_an_approval_a_decision() -> None:
    seen = list[Any]()

    @workflow
    async def main() -> None:
        seen.append(await judge("how good?"))
        seen.append(await approval("Ship?", {"a": 1}))

    played = Simulation(Registry([judge], workflows=[main]))
    assert (await played.run("main", "", decide=lambda _: Approve({"a": 2}))).status == "completed"
    assert (await played.run("main", "", decide=lambda _: Reject("no"))).status == "completed"
    assert seen[0] == Answer(text="good", score=2)
    decisions = [each for each in seen if isinstance(each, Decision)]
    assert decisions[0] == Decision(approved=True, data={"a": 2})
    assert decisions[-1] == Decision(approved=False, data={"a": 1}, reason="no")


@tool
async def late() -> Pending | Point:
    """Wait for a point."""
    return Pending(timeout_seconds=60)


@pytest.mark.parametrize(("told", "got"), [({"x": 1, "y": 2}, Point(1, 2)), (None, {"timedOut": True})])
async def test_a_wait_gives_what_it_was_told_or_that_nobody_told_it(told: Any, got: Any) -> None:
    seen = list[Any]()

    @workflow
    async def main() -> None:
        seen.append(await late())

    told_so = {"success": True, "result": told} if told else None
    run = await Simulation(Registry(workflows=[main])).run("main", "", outcomes=lambda _: told_so)
    assert (run.status, seen[-1]) == ("completed", got)


SECRETS = """
from typing import Any
from baton import Pending

SEEN = []

@tool
async def hold(card: str) -> dict[str, Any]:
    return {"authorization": "hold_4711", "lines": [{"apiKey": "key_4711", "sku": "a"}], "token": ""}

@tool
async def capture(authorization: str, of: dict[str, Any]) -> str:
    SEEN.append((authorization, of))
    return f"captured {authorization}"

@tool
async def ask() -> Pending:
    return Pending(timeout_seconds=60)

@tool
async def look_at(password: Any) -> None:
    SEEN.append(password)

@workflow
async def below() -> dict[str, Any]:
    return await hold("c")

@workflow
async def main() -> str:
    held, other, told = await hold("c"), await below(), await ask()
    await look_at([other, told, await capture(held["authorization"], held["lines"][0])])
    await sleep(60)
    return await capture(held["authorization"], held["lines"][0])
"""


@pytest.mark.parametrize("crashes", [False, pytest.param(True, marks=pytest.mark.long)])
async def test_code_gets_secrets_that_nobody_is_shown(load: Load, crashes: bool) -> None:
    module = load(SECRETS)
    played = Simulation(Registry(workflows=[module.main, module.below]))
    told = {"success": True, "result": {"password": "told_4711"}}
    if crashes:
        (await played.crash_everywhere("main", "", outcomes=lambda _: told)).check()
    run = await played.run("main", "", outcomes=lambda _: told)
    assert run.status == "completed", run.error
    own = {"apiKey": "key_4711", "sku": "a"}
    first = ("hold_4711", own)
    whole = {"authorization": "hold_4711", "lines": [own], "token": ""}
    assert [first, [whole, {"password": "told_4711"}, "captured hold_4711"], first] == module.SEEN
    shown = repr([run.calls, run.parts])
    assert not [each for each in ("key_4711", "told_4711") if each in shown]
