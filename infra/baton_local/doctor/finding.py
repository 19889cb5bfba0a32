"""What a check found. Pure.

Invariant: what failed says what to do. Must not: hold a secret; findings are printed and sent to colleagues.
"""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"  # cannot be told, or is not as usual
    WARNING = "warning"  # works now; look at it
    FAILED = "failed"  # does not work
    SKIPPED = "skipped"  # another failure is in the way


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `check`: the part that it is about; `way_out`: what to do."""

    check: str
    level: Level
    text: str
    way_out: str = ""


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, text)


def note(check: str, text: str, way_out: str = "") -> Finding:
    """Worth knowing."""
    return Finding(check, Level.NOTE, text, way_out)


def warning(check: str, text: str, way_out: str) -> Finding:
    """Works now."""
    return Finding(check, Level.WARNING, text, way_out)


def failed(check: str, text: str, way_out: str) -> Finding:
    """Does not work."""
    return Finding(check, Level.FAILED, text, way_out)


def skipped(check: str, text: str) -> Finding:
    """Not looked at."""
    return Finding(check, Level.SKIPPED, text)
