"""The differences that an edit makes: each changed value, with the path that leads to it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Change:
    """One value that differs."""

    path: str
    what: Literal["changed", "added", "removed"]
    old: Any = None
    new: Any = None


def changes(old: Any, new: Any, path: str = "") -> Iterator[Change]:
    """Find the values that differ; objects are compared part by part, lists as a whole."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        if old != new or type(old) is not type(new):
            yield Change(path, "changed", old, new)
        return
    for name in [*old, *(name for name in new if name not in old)]:
        inner = f"{path}.{name}" if path else str(name)
        if name not in new:
            yield Change(inner, "removed", old=old[name])
        elif name not in old:
            yield Change(inner, "added", new=new[name])
        else:
            yield from changes(old[name], new[name], inner)
