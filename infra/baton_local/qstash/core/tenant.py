"""One user of the server: a world of messages, names, keys, counters and deduplication windows (qstash.md 1, 6).

Invariant: inside a window the first message of a key stays its answer, whatever became of that message.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from baton_local.qstash.core.destinations import Topic
from baton_local.qstash.core.flow_control import FlowKey
from baton_local.qstash.core.message import DlqEntry, Live
from baton_local.qstash.core.options import Options
from baton_local.qstash.core.queues import Queue
from baton_local.qstash.core.schedules import Schedule


def dedup_key(options: Options, destination: str, body: bytes | None, endpoint_url: str | None) -> str | None:
    """Return the key of a publish, or None if it asked for none; an explicit id wins over the content."""
    if options.dedup_id is not None:
        key = f"id:{options.dedup_id}"
    elif options.dedup_by_content:
        key = f"content:{_content_digest(destination, options.header, body or b'')}"
    else:
        return None
    return key if endpoint_url is None else f"{key}:{endpoint_url}"  # a group deduplicates per endpoint


def _content_digest(destination: str, header: Mapping[str, Sequence[str]], body: bytes) -> str:
    digest = sha256(destination.encode())
    for name in sorted(header):
        digest.update(f"\0{name}\0{chr(0).join(header[name])}".encode())
    digest.update(b"\0\0" + body)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The pair that receivers are configured with; messages are signed with `current`.

    `configured` is the pair that the server was started with, so that a rotation outlives a restart, and a newly
    configured pair outlives a rotation.
    """

    current: str
    next: str
    configured: tuple[str, str]


# What a bill would be made of; they only grow.
COUNTERS = (
    "published",  # accepted from callers: one per message, so a group of three counts three
    "deduplicated",  # accepted and not stored
    "derived",  # made by the server: callbacks, schedule ticks, DLQ retries
    "deliveries",  # attempts started
    "delivered",
    "failed",
    "cancelled",
)


@dataclass(slots=True)
class Tenant:
    """Everything of one user that is not finished."""

    user: str
    keys: SigningKeys
    live: dict[str, Live] = field(default_factory=dict)
    dlq: dict[str, DlqEntry] = field(default_factory=dict)
    # Key → the message accepted first, and until when; in order of expiry, since the window's length is constant.
    dedup: dict[str, tuple[str, int]] = field(default_factory=dict)
    topics: dict[str, Topic] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    flows: dict[str, FlowKey] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    in_flight: int = 0
