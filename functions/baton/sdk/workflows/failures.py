"""Failures of a run: what a failed step raises at its await, and what the job says of what leaves the code.

Invariant: people see the class, the text and the lines of their own files, and nothing of what drives the code.
"""

import builtins
import re
from ast import literal_eval
from collections.abc import Mapping
from typing import Any

from baton.sdk.agents.runner import RunFailedError
from baton.sdk.tools.tool_error import ToolError
from baton.sdk.workflows.places import places_of
from baton.sdk.workflows.stretch_loop import NotAStepError
from baton_events.values.text import text_of

_LATE = "timeout"
# What asyncio says where a task awaits what its loop does not have.
_FOREIGN = re.compile(r"Task (?:.* )?got (Future .* attached to a different loop|bad yield: .*)", re.DOTALL)
_NO_TEXTS = (StopIteration, StopAsyncIteration, UnicodeError, BaseExceptionGroup)


def raised_of(error: Mapping[str, Any], *, retryable: bool = False) -> Exception:
    """Return what a recorded failure raises: a built-in exception keeps its class, all else is a `ToolError`."""
    kind, message = error["type"], error["message"]
    found = getattr(builtins, "TimeoutError" if kind == _LATE else kind, None)
    if isinstance(found, type) and issubclass(found, Exception) and not issubclass(found, _NO_TEXTS):
        return found(_key_in(message) if issubclass(found, KeyError) else message)
    raised = ToolError(message, retryable=retryable, type=kind)
    if kind != ToolError.__name__:
        raised.args = (f"{kind}: {message}",)
    return raised


def _key_in(text: str) -> Any:
    """Return the key of a `KeyError`, which shows it in quotes."""
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def failure_of(error: BaseException) -> RunFailedError:
    """Return how a job fails by an exception that nobody has caught."""
    kind, text = _kind_and_text(error)
    frames = list(map(str, places_of(error)))
    if isinstance(error, NotAStepError) and error.place is not None and not frames:
        frames = [str(error.place)]
    return RunFailedError(kind, "\n".join([text or kind, *frames]))


def _kind_and_text(error: BaseException) -> tuple[str, str]:
    if isinstance(error, NotAStepError):
        return "not_a_step", text_of(error)
    if isinstance(error, ToolError):
        return error.type, text_of(error)
    if isinstance(error, RuntimeError) and (found := _FOREIGN.fullmatch(str(error))):
        return "not_a_step", f"{found[1]}: {NotAStepError('this', None)}"
    return type(error).__name__, text_of(error)
