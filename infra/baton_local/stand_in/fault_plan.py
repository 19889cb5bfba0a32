"""Faults on demand, for tests of what callers do then: refused requests, late answers, lost answers.

Pure: what a fault does to a request is carried out by the stand-in. A dropped answer belongs to a request that was
carried out, as when a connection breaks after the server has acted; a refused one was not.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Strike(Enum):
    """What happens to one request."""

    REFUSE = "refuse"
    DROP = "drop"
    DELAY = "delay"


@dataclass(slots=True)
class FaultPlan:
    """What is still to happen. Empty `only` means any request; `delay` None means until the plan is replaced.

    `spare`: so many requests that `only` names are served as ever before.
    """

    refuse: int = 0
    drop: int = 0
    delay_seconds: float = 0.0
    delay: int | None = None
    only: tuple[str, ...] = ()
    spare: int = 0

    def next_strike(self, names: Iterable[str]) -> Strike | None:
        """Return the fault for a request with these names; one of the planned ones is used up."""
        if self.only and not any(name in self.only for name in names):
            return None
        if self.spare > 0:
            self.spare -= 1
            return None
        if self.refuse > 0:
            self.refuse -= 1
            return Strike.REFUSE
        if self.drop > 0:
            self.drop -= 1
            return Strike.DROP
        if self.delay_seconds <= 0 or self.delay == 0:
            return None
        if self.delay is not None:
            self.delay -= 1
        return Strike.DELAY


@dataclass(frozen=True, slots=True)
class PlanForm:
    """The JSON of a stand-in's plan: what each field is called there, and how the names of `only` are spelt."""

    fields: Mapping[str, str]
    spelt: Callable[[str], str] = str

    def read(self, body: bytes) -> FaultPlan:
        """Return the plan that a body of `POST /admin/faults` writes.

        Raises ValueError: an unknown field or a value of the wrong kind.
        """
        try:
            given = json.loads(body or b"{}")
        except ValueError as error:
            raise ValueError(f"the fault plan is not JSON: {error}") from None
        if not isinstance(given, dict):
            raise ValueError('the fault plan must be a JSON object such as {"refuse": 1}')  # noqa: TRY004 - its value
        plan = FaultPlan()
        for name, value in given.items():
            if name not in self.fields:
                raise ValueError(f"unknown fault {name!r}; known are {', '.join(self.fields)}")
            field = self.fields[name]
            setattr(plan, field, self._names(name, value) if field == "only" else _number(name, field, value))
        return plan

    def render(self, plan: FaultPlan) -> dict[str, Any]:
        return {name: getattr(plan, field) for name, field in self.fields.items()}

    def _names(self, name: str, value: Any) -> tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(map(self.spelt, value))
        raise ValueError(f"{name}: must be a list of their names, not {str(value)[:60]}")


def _number(name: str, field: str, value: Any) -> float | None:
    if value is None and field == "delay":
        return None
    allowed = (int, float) if field == "delay_seconds" else (int,)
    if isinstance(value, bool) or not isinstance(value, allowed) or value < 0:
        raise ValueError(f"{name}: must be a number, zero or more, not {str(value)[:60]}")
    return value
