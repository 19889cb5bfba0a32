"""What a check found, as people and as programs read it. Pure.

Invariant: what failed says what to do. Must not: hold a secret; findings are printed and sent to colleagues.
"""

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial


class Level(StrEnum):
    OK = "ok"
    NOTE = "note"  # is not known, or is not as usual
    WARNING = "warning"  # works now; look at it
    FAILED = "failed"  # does not work
    SKIPPED = "skipped"  # another failure is in the way


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `check`: the part that it is about; `way_out`: what to do."""

    level: Level
    check: str
    text: str
    way_out: str = ""


def way_to_reach(error: str, otherwise: str) -> str:
    """Return what to do about an error of reaching something: it may be a proxy's, which its message names."""
    if " the proxy " in error:
        return "correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or name this host in NO_PROXY"
    return otherwise


ok, note, warning, failed, skipped = (partial(Finding, level) for level in Level)


_CHECK_WIDTH, _LEVEL_WIDTH, WIDTH = 11, 8, 116
_INDENT = " " * (_CHECK_WIDTH + _LEVEL_WIDTH)


def screen(findings: Sequence[Finding], origin: str, width: int = WIDTH) -> str:
    """Format the findings for people, in lines of this width at most."""
    counted = {level: sum(finding.level is level for finding in findings) for level in Level}
    last = (
        "All is well."
        if not counted[Level.FAILED] + counted[Level.WARNING]
        else (f"{counted[Level.FAILED]} failed, {counted[Level.WARNING]} to look at.")
    )
    return "\n".join([f"Settings of {origin}", "", *(lines_of(each, width) for each in findings), "", last])


def lines_of(finding: Finding, width: int = WIDTH) -> str:
    """Return one finding, and below it what to do."""
    level = finding.level.upper() if finding.level is Level.FAILED else finding.level.value
    head = f"{finding.check:<{_CHECK_WIDTH}}{level:<{_LEVEL_WIDTH}}"
    lines = textwrap.wrap(finding.text, width - len(head), break_long_words=False, break_on_hyphens=False)
    if finding.way_out:
        way_out = textwrap.wrap(finding.way_out, width - len(head) - 2, break_on_hyphens=False)
        lines += [f"{'→' if number == 0 else ' '} {line}" for number, line in enumerate(way_out)]
    return "\n".join((head if number == 0 else _INDENT) + line for number, line in enumerate(lines))


def document(findings: Sequence[Finding], origin: str) -> str:
    rows = [
        {"check": each.check, "level": each.level.value, "text": each.text, "wayOut": each.way_out or None}
        for each in findings
    ]
    well = not any(finding.level is Level.FAILED for finding in findings)
    return json.dumps({"ok": well, "origin": origin, "findings": rows}, indent=2, ensure_ascii=False)
