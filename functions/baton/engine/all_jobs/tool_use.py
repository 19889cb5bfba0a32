"""The use of tools: each attempt is one count in a histogram of durations, and all counters are read from that.

A histogram's classes grow by a fourth root of two. So a duration read from one is within 10 % of the real one, for a
millisecond as for a week, and a tool has some hundred counts at most. Invariant: a count is an increment, needs no
reading before, and never conflicts; an invocation's calls of one class are one command.
"""

import math
from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

_CLASSES_PER_DOUBLING = 4
_RETURNED, _FAILED = "returned", "failed"


class ToolUse(Struct, frozen=True):
    """One attempt of a tool call."""

    tool: str
    failed: bool
    duration_ms: int

    @property
    def count(self) -> str:
        """The name of the count that it increments."""
        return f"{self.tool}:{_FAILED if self.failed else _RETURNED}:{_class_of(self.duration_ms)}"


class ToolCounters(Struct, frozen=True):
    """The use of one tool: attempts, failed ones among them, and their durations."""

    tool: str
    calls: int
    failures: int
    p50_ms: int
    p95_ms: int


def counters(counts: Mapping[str, int]) -> tuple[ToolCounters, ...]:
    """Return the counters of every tool that was used, by name; unknown counts (of a newer version) are left out."""
    durations: dict[str, Counter[int]] = {}
    failures: Counter[str] = Counter()
    for name, count in counts.items():
        tool, _, rest = name.partition(":")
        outcome, _, number = rest.partition(":")
        if outcome not in (_RETURNED, _FAILED) or not number.isdecimal():
            continue
        durations.setdefault(tool, Counter())[int(number)] += count
        failures[tool] += count if outcome == _FAILED else 0
    return tuple(
        ToolCounters(tool, found.total(), failures[tool], _at(found, 0.5), _at(found, 0.95))
        for tool, found in sorted(durations.items())
    )


def _class_of(duration_ms: int) -> int:
    return 0 if duration_ms < 1 else 1 + math.floor(_CLASSES_PER_DOUBLING * math.log2(duration_ms))


def _at(found: Counter[int], share: float) -> int:
    rank, seen = math.ceil(share * found.total()), 0
    for number, count in sorted(found.items()):
        seen += count
        if seen >= rank:
            return 0 if number == 0 else round(2 ** ((number - 0.5) / _CLASSES_PER_DOUBLING))  # its middle
    return 0
