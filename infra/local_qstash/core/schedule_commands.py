"""Commands on schedules (qstash.md 17)."""

from dataclasses import dataclass

from infra.local_qstash.core.answer import Answer
from infra.local_qstash.core.destination import Destination
from infra.local_qstash.core.errors import not_served
from infra.local_qstash.core.headers import HeaderMap
from infra.local_qstash.core.state import Transition


@dataclass(frozen=True, slots=True)
class CreateSchedule:
    """Create a schedule, or replace the one with the same id."""

    user: str
    destination: Destination
    headers: HeaderMap
    body: bytes | None = None
    caller_ip: str | None = None
    queue: str | None = None


def create_schedule(step: Transition, command: CreateSchedule) -> Answer:
    """Refuse: this version makes no schedules."""
    raise not_served(f"schedule for {command.destination} of {len(step.state.tenants)} users: is not available yet")
