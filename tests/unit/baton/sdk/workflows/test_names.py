"""What the names of a workflow's modules mean, of which the interpreter has one: each its own, or they are refused."""

import importlib
import itertools
import sys
from pathlib import Path
from typing import Any

import pytest

from baton import Registry
from baton.sdk.agents.registry import RegistryError
from tests.unit.baton.sdk.workflows.conftest import HEAD, Load
from tests.unit.baton.sdk.workflows.played_jobs import Job, runner_of

_NUMBERS = itertools.count()
MODULES = (
    "def total(x):\n    return x + 1\n\nclass Acc:\n    n = 1\n",
    "def total(x):\n    return -x\n\nclass Acc:\n    n = 2\n",
)
TWICE = [
    ("import {a} as a, {b} as b", "[a.total(1), b.total(1)]", "total"),
    ("from {a} import total as one\nfrom {b} import total as two", "[one(1), two(1)]", "total"),
    ("import {a} as a\ntotal = 7", "[a.total(1), total]", "total"),
    ("import {a} as a\ntotal = 7", "[total, a.total(1)]", "total"),
    ("import {a} as a, {b} as b", "[a.Acc().n, b.Acc().n]", "Acc"),
    ("def total(x):\n    return x\n\nold = total\n\ndef total(x):\n    return old(x) + 1", "total(1)", "total"),
]


@pytest.mark.parametrize(("beside", "returned", "name"), TWICE)
def test_two_of_one_name_in_two_modules_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: str, returned: str, name: str
) -> None:
    """The later one would be both, and nobody would see it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    a, b, flow = (f"named{next(_NUMBERS)}" for _ in range(3))
    texts = (*MODULES, f"{HEAD}{beside.format(a=a, b=b)}\n\n@workflow\nasync def main():\n    return {returned}\n")
    for module, text in zip((a, b, flow), texts, strict=True):
        (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
    with pytest.raises(RegistryError, match=f"name '{name}' has two meanings in the workflow's modules; rename one"):
        Registry(workflows=[importlib.import_module(flow).main])
    for module in (a, b, flow):
        sys.modules.pop(module, None)


SHADOWED = """
import json
from dataclasses import dataclass
from datetime import date

LATER = date(2030, 1, 1)

@dataclass
class Invoice:
    date: date
    json: str = "[1]"
    count: int = 2

    def read(self, count=count, seen=LATER):
        return [self.date < date(2027, 1, 1), json.loads(self.json), count, seen.year]

@workflow
async def main():
    return Invoice(date(2026, 1, 1)).read()
"""


async def test_a_method_sees_the_modules_name_behind_a_field_of_that_name(load: Load) -> None:
    module: Any = load(SHADOWED)
    assert (await Job({}).turn(runner_of(module))).output == await module.main()


ONE = [
    (
        "def made(n):\n    def inner(x):\n        return x + 1\n    return inner\n\na, b = made(1), made(2)\n\n"
        "@workflow\nasync def main():\n    return [a(1), b(2)]\n"
    ),
    "@workflow\nasync def main(n: int = 2):\n    return n if n < 1 else await main(n=n - 1)\n",
]


@pytest.mark.parametrize("text", ONE)
async def test_one_code_under_two_names_is_one(load: Load, text: str) -> None:
    module: Any = load(text)
    assert (await Job({}).turn(runner_of(module))).output == await module.main()
