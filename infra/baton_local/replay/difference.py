"""One difference between a recording and what the code does now, with both sides, as people read it."""

import difflib
import json
from dataclasses import dataclass
from typing import Any

_SHORT_CHARS = 160
_MOST_LINES, _MOST_CHARS = 60, 400


@dataclass(frozen=True, slots=True)
class Difference:
    """Where it is, and the two sides: texts or JSON values."""

    where: str
    recorded: Any
    now: Any

    def __str__(self) -> str:
        """Both sides: in a line each, or as a comparison of their lines where they are long."""
        recorded, now = _text(self.recorded), _text(self.now)
        head = f"The first difference: {self.where}"
        if max(len(recorded), len(now)) <= _SHORT_CHARS and "\n" not in recorded + now:
            return f"{head}\n  recorded: {recorded}\n  now:      {now}"
        lines = list(difflib.unified_diff(_lines(self.recorded), _lines(self.now), "recorded", "now", lineterm="", n=2))
        shown = [f"  {line[:_MOST_CHARS]}{'…' * (len(line) > _MOST_CHARS)}" for line in lines[:_MOST_LINES]]
        more = [f"  … and {len(lines) - _MOST_LINES} more lines"] if len(lines) > _MOST_LINES else []
        return "\n".join([head, *shown, *more])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _lines(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.splitlines() or [""]
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2).splitlines()
