"""Schedules in code: jobs of an agent that recur by a cron expression. `baton setup` and `baton dev` make them.

Invariant: data only, checked as it is made. Must not: know the queue.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from baton.sdk.agents.agent import Agent, CodeAgent
from baton.sdk.records.limits import is_whole
from baton_events.timestamps import zone_of
from baton_events.values.json_value import plain

Overlap = Literal["queue", "skip", "replace"]
MOST_BACKFILL = 100
_NAME = re.compile(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*")
_NAME_LIMIT_CHARS, _CRON_LIMIT_CHARS, _CRON_FIELDS = 64, 200, 5
# It is sent as a header: a dash of a word processor would fail there, and be asked for again.
CRON_CHARACTERS = r"[ \t0-9A-Za-z*?,/#-]+"
_CRON = re.compile(CRON_CHARACTERS)
NO_CRON = (
    "no cron expression that the queue takes: five fields of plain characters, such as '0 9 * * 1-5', each within its "
    "bounds, ranges upwards, on a day that exists"
)


@dataclass(frozen=True)
class Schedule:
    """A job that recurs: `Registry(schedules=[Schedule("nightly", "0 2 * * *", agent="clerk")])`.

    Attributes:
        name: known by it; under another name it is another schedule.
        cron: five fields, such as "0 9 * * 1-5".
        agent: the agent or workflow, or its name.
        task: the task of each job.
        input_data: the data of each job, a JSON object.
        time_zone: whose clock counts, such as "Europe/Berlin".
        overlap: what a job does whose time comes while another one of the schedule lives. `queue`: it waits. `skip`: it
            is not started. `replace`: the others are cancelled.
        backfill: how many of the times that the queue has missed are made up for, the latest ones: by the next
            `baton setup` or `baton dev`.
    """

    name: str
    cron: str
    agent: str | Agent | CodeAgent = field(kw_only=True)
    task: str = field(default="", kw_only=True)
    input_data: dict[str, Any] | None = field(default=None, kw_only=True)
    time_zone: str = field(default="UTC", kw_only=True)
    overlap: Overlap = field(default="queue", kw_only=True)
    backfill: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name) or len(self.name) > _NAME_LIMIT_CHARS:
            raise ValueError(
                f"Schedule({self.name!r}): a name has up to {_NAME_LIMIT_CHARS} letters, digits, '.', '_', '-'"
            )
        if fault := self._fault():
            raise ValueError(f"Schedule({self.name!r}): {fault}")
        try:
            zone_of(self.time_zone)
            plain(self.input_data or {}, "input_data")
        except ValueError as error:
            raise ValueError(f"Schedule({self.name!r}): {error}") from error

    @property
    def agent_name(self) -> str:
        return self.agent.name if isinstance(self.agent, Agent | CodeAgent) else self.agent

    def _fault(self) -> str:
        parts = self.cron.split() if isinstance(self.cron, str) else []
        if len(parts) != _CRON_FIELDS or len(self.cron) > _CRON_LIMIT_CHARS or not _CRON.fullmatch(self.cron):
            return f"{self.cron!r} is {NO_CRON}"
        if self.overlap not in get_args(Overlap):
            return f"overlap={self.overlap!r}: one of {', '.join(get_args(Overlap))}"
        if not is_whole(self.backfill) or not 0 <= self.backfill <= MOST_BACKFILL:
            return f"backfill={self.backfill!r}: a number from 0 to {MOST_BACKFILL}"
        if not isinstance(self.task, str) or not isinstance(self.input_data, dict | None):
            return "its task is a text, and its input_data a JSON object"
        return ""
