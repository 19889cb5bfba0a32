"""What a value means in JSON, read by rules of its own: the page `docs/values.md`, and nothing of the door's code.

Invariant: it answers for Python's plain types alone; of all others, and near the limits, it says nothing.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Any

# Deeper, and of longer names, it says nothing.
_DEPTH, _DIGITS, _NAME_CHARS = 90, 4_300, 100


@dataclass(frozen=True)
class Meant:
    """It is JSON, and equals this."""

    value: Any


@dataclass(frozen=True)
class Refused:
    """JSON cannot hold it; `place`: of the first fault."""

    place: str


class _UnknownError(Exception):
    pass


class _RefusedError(Exception):
    pass


def meant(value: Any, at: str) -> Meant | Refused | None:
    """Return what becomes of the value; None: these rules do not say."""
    try:
        return Meant(_read(value, at, 0))
    except _RefusedError as error:
        return Refused(str(error))
    except _UnknownError:
        return None


def text_meant(text: str) -> str:
    """Join halves that meet, and replace those that do not."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _read(value: Any, place: str, depth: int) -> Any:
    if depth > _DEPTH or type(value) not in (type(None), bool, str, int, float, list, tuple, dict):
        raise _UnknownError
    if type(value) is str:
        return text_meant(value)
    if (type(value) is int and len(str(abs(value) // 10**_DIGITS)) > 1) or (
        type(value) is float and not isfinite(value)
    ):
        raise _RefusedError(place)
    if isinstance(value, list | tuple):
        return [_read(item, f"{place}[{at}]", depth + 1) for at, item in enumerate(value)]
    return _object(value, place, depth) if isinstance(value, dict) else value


def _object(value: dict[Any, Any], place: str, depth: int) -> dict[str, Any]:
    found = dict[str, Any]()
    for name, item in value.items():
        if type(name) is not str or len(name) > _NAME_CHARS:
            raise _UnknownError
        inner = f"{place}.{text_meant(name)}"
        if text_meant(name) in found:
            raise _RefusedError(inner)
        found[text_meant(name)] = _read(item, inner, depth + 1)
    return found
