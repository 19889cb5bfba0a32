"""Faults on demand: which delivery is struck, and how; for tests of what destinations do then.

Pure: what a fault does is carried out elsewhere (`baton_local.qstash.faults`). Invariant: of the rules that fit a
delivery the oldest strikes and uses up one of its count; a rule that is used up is gone.
"""

import enum
from dataclasses import asdict, dataclass, field
from typing import Any


class Fault(enum.StrEnum):
    """What happens to a delivery."""

    DROP_ANSWER = "drop_answer"  # it is made, and its answer is lost: a failed attempt
    DELAY = "delay"  # it is made late
    DUPLICATE = "duplicate"  # it is made twice
    REORDER = "reorder"  # it waits for the others of its rule, and the last comes first
    ANSWER = "answer"  # it is not made, and counts as answered with a status; 0 is a broken connection


@dataclass(slots=True, eq=False, weakref_slot=True)
class FaultRule:
    """One fault for some deliveries; `url` is how theirs begins, `count` how many are still to come."""

    fault: Fault
    url: str = ""
    count: int = 1
    seconds: float = 0.0
    status: int = 0


@dataclass(slots=True)
class FaultPlan:
    """What is still to happen, and how wrong the clock is that signatures are made by."""

    rules: list[FaultRule] = field(default_factory=list)
    clock_skew_seconds: int = 0

    def strike(self, url: str) -> FaultRule | None:
        """The rule for a delivery to this URL, if there is one."""
        rule = next((each for each in self.rules if url.startswith(each.url)), None)
        if rule is not None:
            rule.count -= 1
            if not rule.count:
                self.rules.remove(rule)
        return rule

    def drop(self, rule: FaultRule) -> None:
        """The rule strikes no more."""
        if rule in self.rules:
            self.rules.remove(rule)

    def clear(self) -> None:
        """Nothing is to happen."""
        self.rules.clear()
        self.clock_skew_seconds = 0

    def view(self) -> dict[str, Any]:
        """What is left, as answered."""
        return asdict(self)
