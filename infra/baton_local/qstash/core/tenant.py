"""One user of the server: a separate world of messages, names, keys and counters (qstash.md 1)."""

from dataclasses import dataclass, field, fields

from baton_local.qstash.core.dedup import DedupWindow
from baton_local.qstash.core.dlq import DlqEntry
from baton_local.qstash.core.flow_control import FlowKey
from baton_local.qstash.core.message import Live
from baton_local.qstash.core.queues import Queue
from baton_local.qstash.core.schedules import Schedule
from baton_local.qstash.core.topics import Topic


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The pair that receivers are configured with; messages are signed with `current`.

    `configured` is the pair that the server was started with, so that a rotation outlives a restart, and a newly
    configured pair outlives a rotation.
    """

    current: str
    next: str
    configured: tuple[str, str]


@dataclass(slots=True)
class Counters:
    """What a bill would be made of; they only grow."""

    published: int = 0  # accepted from callers: one per message, so a group of three counts three
    deduplicated: int = 0  # accepted and not stored
    derived: int = 0  # made by the server: callbacks, schedule ticks, DLQ retries
    deliveries: int = 0  # attempts started
    delivered: int = 0
    failed: int = 0
    cancelled: int = 0

    def as_dict(self) -> dict[str, int]:
        """The figures by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(slots=True)
class Tenant:
    """Everything of one user that is not finished."""

    user: str
    keys: SigningKeys
    live: dict[str, Live] = field(default_factory=dict)
    dlq: dict[str, DlqEntry] = field(default_factory=dict)
    dedup: DedupWindow = field(default_factory=DedupWindow)
    topics: dict[str, Topic] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    flows: dict[str, FlowKey] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    in_flight: int = 0
