"""Findings as people and as programs read them. Pure."""

import json
import textwrap
from collections.abc import Sequence

from baton_local.doctor.finding import Finding, Level

_CHECK_WIDTH, _LEVEL_WIDTH, _WIDTH = 11, 8, 116
_INDENT = " " * (_CHECK_WIDTH + _LEVEL_WIDTH)


def screen(findings: Sequence[Finding], origin: str) -> str:
    """What people read."""
    counted = {level: sum(finding.level is level for finding in findings) for level in Level}
    last = (
        "All is well."
        if not counted[Level.FAILED] + counted[Level.WARNING]
        else (f"{counted[Level.FAILED]} failed, {counted[Level.WARNING]} to look at.")
    )
    return "\n".join([f"Settings of {origin}", "", *map(lines_of, findings), "", last])


def lines_of(finding: Finding) -> str:
    """One finding, and below it what to do."""
    level = finding.level.upper() if finding.level is Level.FAILED else finding.level.value
    head = f"{finding.check:<{_CHECK_WIDTH}}{level:<{_LEVEL_WIDTH}}"
    lines = textwrap.wrap(finding.text, _WIDTH - len(head), break_long_words=False, break_on_hyphens=False)
    if finding.way_out:
        way_out = textwrap.wrap(finding.way_out, _WIDTH - len(head) - 2, break_on_hyphens=False)
        lines += [f"{'→' if number == 0 else ' '} {line}" for number, line in enumerate(way_out)]
    return "\n".join((head if number == 0 else _INDENT) + line for number, line in enumerate(lines))


def document(findings: Sequence[Finding], origin: str) -> str:
    """What programs read."""
    rows = [
        {"check": each.check, "level": each.level.value, "text": each.text, "wayOut": each.way_out or None}
        for each in findings
    ]
    well = not any(finding.level is Level.FAILED for finding in findings)
    return json.dumps({"ok": well, "origin": origin, "findings": rows}, indent=2, ensure_ascii=False)
