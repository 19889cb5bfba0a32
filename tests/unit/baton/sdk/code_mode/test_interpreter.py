"""What scripts have of Python's own: each name that is listed is tried in the interpreter."""

import builtins

import pydantic_monty as monty
import pytest

from baton.sdk.code_mode.interpreter import POOL, settled
from baton.sdk.records.limits import MODULES

EXCEPTIONS = [
    name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
]


def _runs(code: str) -> bool:
    """Return whether the interpreter runs this code, as far as a question to its host."""
    with POOL.get().checkout() as session:
        try:
            snapshot = session.feed_start(code)
        except monty.MontyError:
            return False
    return not isinstance(snapshot, monty.NameLookupSnapshot)


@pytest.mark.parametrize("module", MODULES)
def test_each_module_that_a_script_is_told_of_is_there(module: str) -> None:
    assert _runs(f"import {module}")


FAILED = [
    ("KeyError", "'what'", "KeyError", "what"),
    ("ConnectionResetError", "what", "OSError", "ConnectionResetError: what"),
    ("UnicodeError", "what", "ValueError", "UnicodeError: what"),
    ("EOFError", "what", "RuntimeError", "EOFError: what"),
    ("timeout", "what", "TimeoutError", "what"),
    ("ToolError", "what", "RuntimeError", "what"),
    ("int", "what", "RuntimeError", "int: what"),
]


@pytest.mark.parametrize(("kind", "message", "raised", "text"), FAILED, ids=[kind for kind, *_ in FAILED])
def test_a_failed_call_raises_the_class_that_a_script_can_catch(
    kind: str, message: str, raised: str, text: str
) -> None:
    error = {"type": kind, "message": message}
    assert settled({"error": error}) == {"exc_type": raised, "message": text}


def test_each_exception_of_python_that_a_script_has_raises_as_itself() -> None:
    for name in EXCEPTIONS:
        raised = settled({"error": {"type": name, "message": "what"}})["exc_type"]
        assert (raised == name) is _runs(f"x = {name}"), name
