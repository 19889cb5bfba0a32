"""Faults on demand, for tests of what callers do then: refused requests, late replies, lost replies.

Only with `--faults`. Invariant: a dropped reply belongs to a command that was executed, as when a connection breaks
after the server has acted (redis-rest.md 10); a refused one was not. The bridge's own paths are never struck.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from baton_local.redis.arguments import MalformedRequestError
from baton_local.redis.http_connection import Exchange


class Strike(Enum):
    """What happens to one request."""

    REFUSE = "refuse"
    DROP = "drop"
    DELAY = "delay"


@dataclass(slots=True)
class FaultPlan:
    """What is still to happen. Empty `commands` means any; `delay_replies` None means until the plan is replaced.

    `spare`: so many requests with these commands are served as ever before.
    """

    refuse: int = 0
    drop_replies: int = 0
    delay_seconds: float = 0.0
    delay_replies: int | None = None
    commands: tuple[str, ...] = ()
    spare: int = 0

    def next_strike(self, names: Iterable[bytes]) -> Strike | None:
        """The fault for a request with these commands; one of the planned ones is used up."""
        if self.commands and not any(name.decode("ascii", "replace").upper() in self.commands for name in names):
            return None
        if self.spare > 0:
            self.spare -= 1
            return None
        if self.refuse > 0:
            self.refuse -= 1
            return Strike.REFUSE
        if self.drop_replies > 0:
            self.drop_replies -= 1
            return Strike.DROP
        if self.delay_seconds <= 0 or self.delay_replies == 0:
            return None
        if self.delay_replies is not None:
            self.delay_replies -= 1
        return Strike.DELAY

    @classmethod
    def from_json(cls, body: bytes) -> "FaultPlan":
        """Read the body of `POST /admin/faults`.

        Raises:
            MalformedRequestError: an unknown field or a value of the wrong kind.
        """
        try:
            given = json.loads(body or b"{}")
        except ValueError as error:
            raise MalformedRequestError(f"the fault plan is not JSON: {error}") from None
        if not isinstance(given, dict):
            raise MalformedRequestError('the fault plan must be a JSON object such as {"drop_replies": 1}')
        plan = cls()
        for name, value in given.items():
            setattr(plan, _known(name), _checked(name, value))
        return plan


def _known(name: str) -> str:
    fields = list(asdict(FaultPlan()))
    if name not in fields:
        raise MalformedRequestError(f"unknown fault {name!r}; known are {', '.join(fields)}")
    return name


def _checked(name: str, value: Any) -> Any:
    if name == "commands":
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(item.upper() for item in value)
        raise MalformedRequestError(f"commands must be a list of command names, not {value!r}")
    if value is None and name == "delay_replies":
        return None
    allowed = (int, float) if name == "delay_seconds" else (int,)
    if isinstance(value, bool) or not isinstance(value, allowed) or value < 0:
        raise MalformedRequestError(f"{name} must be a number, zero or more, not {value!r}")
    return value


class Faults:
    """The current plan, and who is struck by it."""

    def __init__(self) -> None:
        self.plan = FaultPlan()

    def strike(self, exchange: Exchange, batch: Iterable[list[bytes]]) -> bool:
        """Apply the plan to one request; whether it is to be refused."""
        strike = self.plan.next_strike(arguments[0] for arguments in batch)
        if strike is Strike.DROP:
            exchange.drop_reply = True
        elif strike is Strike.DELAY:
            exchange.delay_seconds = self.plan.delay_seconds
        return strike is Strike.REFUSE
