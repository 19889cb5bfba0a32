"""Faults on demand in the answers to commands; only with `--faults`.

Invariant: a dropped reply belongs to a command that was executed (redis-rest.md 10); a refused one was not. The
bridge's own paths are never struck.
"""

from collections.abc import Iterable

from baton_local.redis.http_connection import Exchange
from baton_local.stand_in.fault_plan import FaultPlan, PlanForm, Strike

FORM = PlanForm(
    {
        "refuse": "refuse",
        "drop_replies": "drop",
        "delay_seconds": "delay_seconds",
        "delay_replies": "delay",
        "commands": "only",
        "spare": "spare",
    },
    str.upper,
)


class Faults:
    """The current plan, and how it strikes requests."""

    def __init__(self) -> None:
        self.plan = FaultPlan()

    def strike(self, exchange: Exchange, batch: Iterable[list[bytes]]) -> bool:
        """Apply the plan to one request; whether it is to be refused."""
        strike = self.plan.next_strike(arguments[0].decode("ascii", "replace").upper() for arguments in batch)
        if strike is Strike.DROP:
            exchange.drop_reply = True
        elif strike is Strike.DELAY:
            exchange.delay_seconds = self.plan.delay_seconds
        return strike is Strike.REFUSE
