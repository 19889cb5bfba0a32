"""One user of the server: a world of messages, names, keys, counters and deduplication windows (qstash.md 1, 6).

Invariant: inside a window the first message of a key stays its answer, whatever became of that message.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from hashlib import sha256

from baton_local.qstash.core.destinations import Topic
from baton_local.qstash.core.flow_control import FlowKey
from baton_local.qstash.core.message import DlqEntry, Live
from baton_local.qstash.core.options import Options
from baton_local.qstash.core.queues import Queue
from baton_local.qstash.core.schedules import Schedule


class DedupWindow:
    """Keys with the message accepted first; in order of expiry, since the window's length is constant."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[str, int]] = {}

    def lookup(self, key: str, now_ms: int) -> str | None:
        """Return the id of the message accepted under this key, if its window is still open."""
        entry = self._entries.get(key)
        return entry[0] if entry is not None and entry[1] > now_ms else None

    def remember(self, key: str, message_id: str, expires_ms: int) -> None:
        """Open a window; an expired one of the same key is replaced."""
        self._entries.pop(key, None)
        self._entries[key] = (message_id, expires_ms)

    def forget_expired(self, now_ms: int) -> None:
        """Drop windows that are over, oldest first."""
        while self._entries:
            key = next(iter(self._entries))
            if self._entries[key][1] > now_ms:
                return
            del self._entries[key]

    def __len__(self) -> int:
        return len(self._entries)


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
