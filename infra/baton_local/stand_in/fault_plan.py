"""Faults on demand, for tests of what callers do then: refused requests, late answers, lost answers.

Pure: what a fault does to a request is carried out by the stand-in. A dropped answer belongs to a request that was
carried out, as when a connection breaks after the server has acted; a refused one was not.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any


class Strike(Enum):
    """What happens to one request."""

    REFUSE = "refuse"
    DROP = "drop"
    DELAY = "delay"


@dataclass(slots=True)
class FaultPlan:
    """What is still to happen, as `/admin/faults` has it: so many requests are refused, answers dropped, or delayed.

    Empty `only` means any request, else names in upper case; `delay` None means until the plan is replaced. `spare`: so
    many requests that `only` names are served as ever before.
    """

    refuse: int = 0
    drop: int = 0
    delay_seconds: float = 0.0
    delay: int | None = None
    only: tuple[str, ...] = ()
    spare: int = 0

    def next_strike(self, names: Iterable[str]) -> Strike | None:
        """Return the fault for a request with these names; one of the planned ones is used up."""
        if self.only and not any(name.upper() in self.only for name in names):
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


def read_plan(body: bytes) -> FaultPlan:
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
    known = asdict(plan)
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"unknown fault {name!r}; known are {', '.join(known)}")
        setattr(plan, name, _names(value) if name == "only" else _number(name, value))
    return plan


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(map(str.upper, value))
    raise ValueError(f"only: must be a list of names, not {str(value)[:60]}")


def _number(name: str, value: Any) -> float | None:
    if value is None and name == "delay":
        return None
    allowed = (int, float) if name == "delay_seconds" else (int,)
    if isinstance(value, bool) or not isinstance(value, allowed) or value < 0:
        raise ValueError(f"{name}: must be a number, zero or more, not {str(value)[:60]}")
    return value
