"""What would be another program in the interpreter, and is found before a job is accepted: by its name, at its line."""

from pathlib import Path

import pytest

from baton import Registry
from baton.sdk.agents.registry import RegistryError
from tests.unit.baton.sdk.workflows.conftest import Load

HEAD = """
import functools
from dataclasses import dataclass, field
from uuid import uuid4
from enum import Enum, Flag, IntEnum, IntFlag
from pydantic import BaseModel, ConfigDict, Field
from typing import Any

class Level(IntEnum):
    LOW = 1

class Right(Flag):
    READ = 1

class Bits(IntFlag):
    ONE = 1

class Able(Enum):
    LOW = 1

    def shown(self):
        return self.name.lower()

class Task(BaseModel):
    level: Level

@dataclass
class Held:
    right: Right

@tool
async def graded(a: int) -> Level:
    \"\"\"Grade.

    Args:
        a: what.
    \"\"\"
    return Level.LOW

def kept(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args)
    return inner

@kept
def doubled(x):
    return 2 * x

def marked(kind):
    kind.mark = 7
    return kind

@marked
@dataclass
class Marked:
    x: int = 1

class Point(BaseModel):
    model_config = ConfigDict(frozen=True)
    y: int

class Part(BaseModel):
    part: int = Field(frozen=True)
    whole: int = 1

async def steps():
    yield 1

@dataclass(kw_only=True)
class Event:
    id: str = field(default_factory=lambda: str(uuid4()))
    tags: list[str] = field(default_factory=lambda: ["a"])
"""
MORE = "is more than names for values, which is not possible in a workflow; write its values as constants"
FAULTS = [
    ("", "x: Level", "return x.value", f"class Level(IntEnum):|enum Level {MORE}"),
    ("", "x: list[Level]", "return x[0].value", f"class Level(IntEnum):|enum Level {MORE}"),
    ("", "x: dict[Able, int]", "return len(x)", f"class Able(Enum):|enum Able {MORE}"),
    ("", "x: Level | None", "return x", f"class Level(IntEnum):|enum Level {MORE}"),
    ("", "x: Right", "return x.value", f"class Right(Flag):|enum Right {MORE}"),
    ("", "x: Bits", "return x.value", f"class Bits(IntFlag):|enum Bits {MORE}"),
    ("", "x: Able", "return x.shown()", f"class Able(Enum):|enum Able {MORE}"),
    ("", "x: Task", "return x.level.name", f"class Level(IntEnum):|enum Level {MORE}"),
    ("", "x: Held", "return x.right.name", f"class Right(Flag):|enum Right {MORE}"),
    ("", "x: int", "return (await graded(x)).name", f"class Level(IntEnum):|enum Level {MORE}"),
    ("", "x: int", "return [y async for y in steps()]", "    return [y|an async comprehension is not possible"),
    ("", "x: int", "return {y: 1 async for y in steps()}", "    return {y|an async comprehension is not possible"),
    ("", "x: int", "z = {y async for y in steps()}", "    z = {y|an async comprehension is not possible"),
    ("", "x: int", "z = (y async for y in steps())", "    z = (y|an async comprehension is not possible"),
    ("", "x: int", "return doubled(x)", "@kept|a decorated function (doubled) is not possible"),
    ("@kept\n", "x: int", "return x", "@workflow\n@kept|a decorated function (main) is not possible"),
    (
        "",
        "x: int",
        "return Event().id",
        "    return Event|the default_factory of Event.id is not called in a workflow; give id=",
    ),
    (
        "",
        "x: int",
        "return {1: 'a', True: 'b'}",
        "    return {1|1 or True is one key, of which a workflow keeps the last",
    ),
    ("", "x: int", "y = {'a': {1.0: 'a', **{}, 1: 'b'}}", "    y = {'a'|1.0 or 1 is one key, of which"),
    ("", "x: int", "raise KeyError(7)", "    raise KeyError(7)|KeyError takes a text in a workflow, and shows it in"),
    ("", "x: int", "raise KeyError((x, 1))", "    raise KeyError((x|KeyError takes a text in a workflow"),
    ("", "x: int", "raise KeyError(int('7'))", "    raise KeyError(int|KeyError takes a text in a workflow"),
    ("", "x: Point", "x.y = 2", "    x.y = 2|Point.y is frozen, which a workflow does not check; make another one"),
    ("", "n: int, x: Point", "x.y += 2", "    x.y += 2|Point.y is frozen, which"),
    ("", "x: int", "Part(part=1).part = 2", "    Part(part=1).part|Part.part is frozen, which"),
    (
        "",
        "x: int",
        "from re import sub",
        "    from re import sub|from re import sub in a function",
    ),
    (
        "",
        "x: int",
        "from re import match, finditer",
        "    from re import m|from re import finditer in a function",
    ),
    ("", "x: int", "return Marked().mark", "@marked|class Marked has a decorator beside @dataclass"),
]


@pytest.mark.parametrize(("above", "given", "body", "found"), FAULTS, ids=[f"{one[1]} {one[2]}" for one in FAULTS])
def test_what_would_be_another_program_inside_is_refused_at_its_line(
    load: Load, above: str, given: str, body: str, found: str
) -> None:
    """The line is that of what has to be written in another way."""
    line, fault = found.split("|")
    text = f"{HEAD}\n@workflow\n{above}async def main({given}) -> Any:\n    {body}\n"
    if above == "@kept\n":  # `kept` returns no coroutine function, so a workflow is one beneath it
        text = text.replace("    def inner(*args):", "    async def inner(*args):")
    module = load(text)
    with pytest.raises(RegistryError) as refused:
        Registry(workflows=[module.main])
    assert module.__file__ is not None
    whole = Path(module.__file__).read_text(encoding="utf-8")
    at = whole[: whole.index(line)].count("\n") + 1
    assert f"{module.__name__}.py:{at}: {fault}" in str(refused.value)


def test_an_async_generator_is_told_that_it_is_one(load: Load) -> None:
    with pytest.raises(TypeError, match="@workflow needs an async def without yield"):
        load("@workflow\nasync def main():\n    yield 1\n")
