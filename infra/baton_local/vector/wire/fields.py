"""Reading the fields of a JSON body.

Invariant: null counts as absent, unknown fields are let pass, and a value of the wrong type is a 400 that names it.
"""

from collections.abc import Mapping
from typing import Any

from baton_local.vector.core.errors import malformed, unacceptable

_SHOWN_CHARACTERS = 60

Body = Mapping[str, Any]


def an_object(value: Any, what: str = "body") -> Body:
    """A JSON object."""
    if not isinstance(value, dict):
        raise malformed(f"{what}: must be a JSON object, not {shown(value)}")
    return value


def text(body: Body, name: str) -> str | None:
    """A string that UTF-8 can express."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise malformed(f"{name}: must be a string, not {shown(value)}")
    return _encodable(value, name)


def required_text(body: Body, name: str) -> str:
    """The same, which must be there."""
    value = text(body, name)
    if value is None:
        raise malformed(f"{name}: is missing")
    return value


def flag(body: Body, name: str) -> bool:
    """A boolean; absent means false."""
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise malformed(f"{name}: must be true or false, not {shown(value)}")


def positive(body: Body, name: str, default: int | None = None) -> int:
    """A whole number above zero."""
    value = body.get(name, default)
    if value is None:
        value = default
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise malformed(f"{name}: must be a whole number above 0, not {shown(value)}")
    return value


def record_id(value: Any) -> str:
    """An id; a number is taken as its decimal text (vector-rest.md 2)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise malformed(f"id: must be a string, not {shown(value)}")
    if not value:
        raise unacceptable("id: must not be empty")
    return _encodable(value, "id")


def shown(value: Any) -> str:
    """A value as an error message shows it."""
    if value is None:
        return "null"
    kind = type(value).__name__.replace("dict", "object").replace("list", "array")
    if isinstance(value, dict | list):
        return f"an {kind}"
    whole = repr(value)
    return whole if len(whole) <= _SHOWN_CHARACTERS else f"{whole[:_SHOWN_CHARACTERS]}..."


def _encodable(value: str, name: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise malformed(f"{name}: has half a surrogate pair, which is no character") from None
    return value
