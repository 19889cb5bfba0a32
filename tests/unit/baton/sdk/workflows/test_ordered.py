"""Texts that are members of an enum, and data classes with an order, are used as in Python, or fail as there."""

from typing import Any

import pytest

from tests.unit.baton.sdk.workflows.conftest import Load
from tests.unit.baton.sdk.workflows.test_idioms import _as_job, _module, _ordinary

BESIDE = """
import json
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from json import dumps

class Size(StrEnum):
    SMALL = "s"
    BIG = "b"

class Word(str, Enum):
    NO = "no"
    AH = "ah"

class Color(Enum):
    RED = "r"
    BLUE = "b"

@dataclass(order=True)
class Rated:
    rate: int
    size: Size = Size.BIG
    name: str = field(default="", compare=False)

@dataclass(order=True)
class Other:
    rate: int

"""
SAME = """
a, b, c = Rated(1), Rated(2), Rated(1, name="z")
return [a < b, a <= b, b > a, a >= b, not a < b, a < b < Rated(3), a <= c <= b, Rated(1, Size.SMALL) > a]
---
x = 3
both = [(Rated(1), 2) < (Rated(1), 3), [Size.BIG] < [Size.SMALL], any(x < Rated(2) for x in [Rated(1)])]
both += [f"{Rated(1) < Rated(2)} {Size.BIG < 'c'}", [each.rate for each in [Rated(1), Rated(2)] if each > Rated(1)]]
return [both, Size.BIG < Size.SMALL, Size.BIG <= "b", "a" < Size.BIG < "c" < "d", Word.NO > Word.AH]
---
x = 3
both = [(await add(1, 2)) < 4, await add(1, 2) < 4, (n := 5) > x, n, (lambda a: a < 2)(1), {1} < {1, 2}]
both += [x < 5 in [True], -x < 0, x == 3 < 4]
return [both, "-".join(["a"]) < "b", 1 < (2 if x else 3) < x, dumps(x) < dumps([x])]
---
return Rated(1) < Other(2)
---
return sorted([Rated(1), Other(0)])
---
return max(Rated(1), Other(0))
---
return Rated(1) < (2,)
---
return Rated(1) > ()
---
return Color.RED < Color.BLUE
---
return [Size.BIG + "!", "a" + Size.BIG, Word.NO + Word.AH, Size.BIG[0], "b" in Size.BIG]
---
x = Size.BIG
x += "a"
return [x, f"{Size.BIG + 'x'}", f"{'-'.join([Size.BIG])}"]
---
return [", ".join([Size.BIG, "x"]), ",".join(each for each in Size), "".join(sorted(Size))]
---
return ["-".join(["a", Word.NO]), "-".join("abc"), "-".join({"a": 1}), "".join(map(str, [1, 2]))]
---
return [json.dumps({"a": [Size.BIG, (Word.NO,)], Size.SMALL: 1}, sort_keys=True), dumps(Size.BIG)]
---
return f"{dumps([Size.BIG])}"
---
return json.dumps([Color.RED])
---
return ",".join([Color.RED])
---
return Color.RED + "a"
---
return sorted(Color)
---
return max(Color.RED, Color.BLUE)
---
x = [Size.SMALL, "a", Size.BIG]
y = x
x.sort()
return [y, sorted(x, reverse=True), sorted(x, key=lambda each: each), min(x), max(x), max(Size.SMALL, "a")]
---
x = [Word.NO, Word.AH]
x.sort(key=lambda each: (1, each), reverse=True)
return [x, min(x, key=len) if False else 1, min([], default=3), max(x, key=lambda each: [each])]
---
x = [Rated(2, name="c"), Rated(1, Size.SMALL, "b"), Rated(1, name="a")]
y = [each.name for each in sorted(x)]
x.sort(reverse=True)
return [y, [each.name for each in x], min(x).name, max(x).name, max((each, 1) for each in x)[0].name]
---
return [sorted([3, 1, 2]), sorted("ba", key=str), max(1, 2), min(3, 1, key=lambda n: -n), max({1: 2})]
---
return sorted(n for n in (2, 1))
---
return sorted([1, "a"])
---
return max()
---
return sorted([2, 1], None)
---
class Own:
    def __init__(self):
        self.x = 1
    def sort(self, key=3):
        return key
    def join(self, x):
        return x + 1
    def dumps(self, x):
        return x
own = Own()
return [own.sort(), own.sort(4), own.sort(key=5), own.join(1), own.dumps(2), f"{own.join(2)}"]
""".strip().split("\n---\n")


@pytest.mark.parametrize("body", SAME)
async def test_it_is_as_in_ordinary_python(load: Load, body: str) -> None:
    module = _module(load, body, BESIDE)
    assert await _as_job(module) == await _ordinary(module)


PLAIN = """
return [sorted([3, 1]), sorted("ba", reverse=True), max(1, 2), min([4, 3], key=lambda n: -n), max([], default=2)]
""".strip()


async def test_without_such_classes_it_is_so_too(load: Load) -> None:
    module: Any = load(f"@workflow\nasync def main():\n    {PLAIN}\n")
    assert await _as_job(module) == await _ordinary(module)
