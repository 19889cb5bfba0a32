"""Jobs as people and programs read them."""

from typing import Any

from msgspec import field

from baton.engine.all_jobs.scores import Score
from baton.engine.all_jobs.slots import SlotState
from baton.engine.state import CallRecord, Job, Usage
from baton.engine.work_items import WorkItem
from baton.sdk.records.limits import NOTHING_SPENT, Spend
from baton.sdk.records.record import Record


class FailingDelivery(Record, frozen=True):
    """A message of a job that does not arrive. `text`: its deliveries so far, for people."""

    message_id: str
    text: str


class Snapshot(Record, frozen=True):
    """Everything about one job, for showing it.

    `memory`: the transcript's entry of retrieved memory. `stopped`: no job is admitted at present. `messages`: messages
    of its user while it ran, by id: the entry of its transcript; empty: it is there. `failing`: known where the queue
    was asked. `scores`: by name. `below`: how many jobs are below it. `unreadable`: the ids of keys that are not here;
    the texts that they have sealed are missing. `transcript`: all of it, of a job that is read whole. `of_tenant`: as
    many jobs of its tenant may be at work, and are; 0: there may be another one.
    """

    job: Job
    task: dict[str, Any]
    items: tuple[WorkItem, ...] = ()
    slot_state: SlotState = field(default_factory=SlotState)
    calls: tuple[CallRecord, ...] = ()
    results: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    usage: Usage = field(default_factory=Usage)
    memory: dict[str, Any] | None = None
    stopped: bool = False
    of_tenant: int = 0
    messages: dict[str, str] = field(default_factory=dict[str, str])
    failing: FailingDelivery | None = None
    scores: tuple[Score, ...] = ()
    below: int = 0
    used_below: Spend = NOTHING_SPENT
    unreadable: tuple[str, ...] = ()
    transcript: tuple[dict[str, Any], ...] = ()


class StoredParts(Record, frozen=True):
    """Parts of a job's stream from a number on, and whether the job has ended. `job` is None for an unknown job.

    `first`: the number of the first of them; where it is more than was requested, the ones before are gone.
    """

    job: Job | None
    parts: tuple[str, ...] = ()
    first: int = 1
