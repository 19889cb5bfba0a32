"""What the interpreter lacks of Python's own is refused with its way out: each name is tried in the interpreter."""

import builtins
import importlib
from typing import Any

import pydantic_monty as monty
import pytest

from baton import Registry
from baton.sdk.agents.registry import RegistryError
from baton.sdk.agents.runner import RunFailedError
from baton.sdk.code_mode.interpreter import POOL
from baton.sdk.records.limits import MODULES
from baton.sdk.workflows import subset
from baton.sdk.workflows.lacking import LACKING_ATTRIBUTES, is_no_value, way_around
from baton.testing import Simulation
from tests.unit.baton.sdk.workflows.conftest import Load
from tests.unit.baton.sdk.workflows.played_jobs import Job, runner_of


def runs(code: str) -> bool:
    """Whether the interpreter runs this code, as far as a question to its host."""
    with POOL.get().checkout() as session:
        try:
            snapshot = session.feed_start(code)
        except monty.MontyError:
            return False
    return not isinstance(snapshot, monty.NameLookupSnapshot)


def public(module: Any) -> list[str]:
    return [name for name in dir(module) if not name.startswith("_") and name not in MODULES]


def test_each_builtin_runs_or_is_refused() -> None:
    assert [name for name in public(builtins) if not runs(f"x = {name}") and not subset.builtin_fault(name)] == []


@pytest.mark.parametrize("module", MODULES)
def test_each_name_of_a_module_runs_or_is_refused(module: str) -> None:
    """The names that its page has, and none of it is refused for nothing."""
    own = importlib.import_module(module)
    names = getattr(own, "__all__", None) or [
        name for name in public(own) if not isinstance(getattr(own, name), type(own))
    ]
    lacking = {name for name in names if not runs(f"import {module}\nx = {module}.{name}")}
    refused = {name for name in names if list(subset.attribute_faults(module, name))}
    assert lacking - refused == set()
    assert module in ("asyncio", "time") or refused == lacking


def test_methods_of_types_are_no_values() -> None:
    for kind in (bytes, dict, float, frozenset, int, list, set, str, tuple):
        making = ("", "('00')")  # some can be called, and are no values all the same
        values = {name for name in public(kind) if any(runs(f"x = {kind.__name__}.{name}{call}") for call in making)}
        assert {name for name in public(kind) if not is_no_value(kind.__name__, name)} == values


VALUES = [
    *("''", "1", "1.5", "b''", "[]", "()", "{}", "set()", "datetime.datetime(2026, 1, 1)", "datetime.datetime"),
    *("datetime.timedelta(1)", "re.match('a', 'a')", "re.compile('a')", "ValueError('a')", "int", "str", "len"),
]


def test_no_value_has_what_is_refused_of_all_values() -> None:
    with POOL.get().checkout() as session:
        session.feed_start("import datetime, re")
        for value in VALUES:
            for name in LACKING_ATTRIBUTES:
                with pytest.raises(monty.MontyError, match="has no attribute"):
                    session.feed_start(f"({value}).{name}()")


SPECIAL = {
    "__format__": "'{:x}'.format(Own()) == 'odd'",
    "__bool__": "(not Own()) is False",
    "__len__": "len(Own()) == 0",
    "__ne__": "(Own() != 1) is False",
    "__lt__": "Own() < 1",
    "__getattr__": "Own().other",
    "__new__": "Own() == 'odd'",
    "__iadd__": "add(Own())",
    "__reversed__": "list(reversed(Own()))",
}


@pytest.mark.parametrize("method", SPECIAL)
def test_a_special_method_that_nobody_would_call_is_refused(load: Load, method: str) -> None:
    """In a class, a data class and a model: passing over it would be another program."""
    silent = ("@dataclass\nclass Own:", "class Own(BaseModel):") if method in ("__bool__", "__ne__", "__new__") else ()
    for head in ("class Own:", *silent):
        module = load(
            "from dataclasses import dataclass\nfrom pydantic import BaseModel\n\n"
            f"{head}\n    x: int = 0\n\n    def {method}(self, *_):\n        return 'odd'\n\n\n"
            "@workflow\nasync def main():\n    return Own().x\n"
        )
        with pytest.raises(RegistryError, match=f"Own.{method} is not called in a workflow"):
            Registry(workflows=[module.main])


WITHOUT = """
from dataclasses import field

class Shown(BaseModel):
    name: str = "a"
    secret: str = Field("b", repr=False)

@dataclass(order=True)
class Compared:
    name: str = "a"
    at: int = field(default=1, compare=False, repr=False)

@workflow
async def main():
    return [str(Shown()), repr(Shown()), f"{Compared()}", Compared(at=2) == Compared(), Compared("b") == Compared()]

"""
NAMED = """
class Named(BaseModel):
    name: str = "a"

    def __str__(self):
        return self.name.upper()

@workflow
async def main():
    return f"{Named()}"
"""
PYDANTIC = "from dataclasses import dataclass\nfrom pydantic import BaseModel, Field\n"


async def test_a_model_without_its_methods_has_its_own_text_and_comparison(load: Load) -> None:
    module = load(f"{PYDANTIC}{WITHOUT}")
    assert (await Job({}).turn(runner_of(module))).output == await module.main()
    with pytest.raises(RunFailedError, match=r"Named\.__str__ does not run in a workflow, which has the fields alone"):
        await Job({}).turn(runner_of(load(f"{PYDANTIC}{NAMED}")))


KINDS = """
from baton import ToolError

@tool
async def fails(kind: str) -> None:
    \"\"\"Fail.

    Args:
        kind: how.
    \"\"\"
    raise {each.__name__: each for each in (KeyError, ConnectionResetError, UnicodeError, EOFError)}[kind]("what")

@workflow
async def main(kind: str):
    try:
        await fails(kind)
    except KeyError as error:
        return ["KeyError", error.args[0], str(error)]
    except OSError as error:
        return ["OSError", str(error)]
    except ValueError as error:
        return ["ValueError", str(error)]
    except ToolError as error:
        return ["ToolError", str(error)]
"""
CAUGHT = [
    ("KeyError", ["KeyError", "what", "'what'"]),
    ("ConnectionResetError", ["OSError", "ConnectionResetError: what"]),
    ("UnicodeError", ["ValueError", "UnicodeError: what"]),
    ("EOFError", ["ToolError", "EOFError: what"]),
]


@pytest.mark.parametrize(("kind", "caught"), CAUGHT)
async def test_a_failure_is_caught_as_in_python(load: Load, kind: str, caught: list[str]) -> None:
    """By its class, or the next one above it that the interpreter has."""
    assert way_around("OSError") == ""
    run = await Simulation(Registry(workflows=[load(KINDS).main])).run("main", "", input_data={"kind": kind})
    assert run.result["output"] == caught
