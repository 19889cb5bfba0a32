"""Generated scripts: as ordinary Python, in one go, and with a crash at each await, all come to the same."""

import asyncio
import textwrap
from typing import Any

import pytest

from baton.sdk.code_mode.interpreter import Ended, Raised, Stretch, Waits
from baton.sdk.records.limits import CodeMode
from tests.unit.baton.sdk.code_mode.generated import outcome_of, script_of

FUNCTIONS = {"add": ("add", ("a", "b")), "twice": ("twice", ("x",)), "fails": ("fails", ("kind",))}
STUBS = """
async def add(a: int, b: int) -> int: ...
async def twice(x: int) -> int: ...
async def fails(kind: str) -> int: ...
"""
BOUNDS = CodeMode(output_chars=100_000)
SEEDS = [range(4, 8), pytest.param(range(100, 130), marks=pytest.mark.long)]
# One whose check takes more memory than scripts have.
LARGE = pytest.param(range(1478, 1479), marks=pytest.mark.long)


class ToolError(Exception):
    """A failure of a tool's own."""


async def _called(tool: str, arguments: dict[str, Any]) -> Any:
    outcome = outcome_of(tool, arguments)
    if "error" not in outcome:
        return outcome["ok"]
    kind, message = outcome["error"]["type"], outcome["error"]["message"]
    raise {"ValueError": ValueError, "KeyError": KeyError}.get(kind, ToolError)(message)


async def _ordinary(code: str) -> Any:
    """Run it as the body of a function of ordinary Python."""
    names: dict[str, Any] = {
        "asyncio": asyncio,
        "add": lambda a, b: _called("add", {"a": a, "b": b}),
        "twice": lambda x: _called("twice", {"x": x}),
        "fails": lambda kind: _called("fails", {"kind": kind}),
    }
    exec(f"async def main():\n{textwrap.indent(code, '    ')}", names)
    try:
        return _plain(await names["main"]())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the expected one
        return type(error).__name__


def _as_script(code: str, *, crashes: bool) -> Any:
    """Play it as a script of a model."""
    found: Any = Stretch("call", 0, BOUNDS, FUNCTIONS, code).begin(STUBS)
    while isinstance(found, Waits):
        outcomes = {number: outcome_of(tool, arguments) for number, tool, arguments in found.calls}
        state = found.state
        for _ in range(2 if crashes else 1):
            found = Stretch("call", 0, BOUNDS, FUNCTIONS, code).resume(state, outcomes)
    if isinstance(found, Raised):
        return "ToolError" if found.type == "RuntimeError" else found.type
    assert isinstance(found, Ended)
    return found.value


@pytest.mark.parametrize("seeds", [*SEEDS, LARGE])
async def test_a_generated_script_is_as_ordinary_python_and_survives_each_crash(seeds: range) -> None:
    for seed in seeds:
        code = script_of(seed)
        expected = [await _ordinary(code)] * 2
        found = [await asyncio.to_thread(_as_script, code, crashes=crashes) for crashes in (False, True)]
        assert found == expected, code


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
