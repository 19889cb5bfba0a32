"""The slots as a semaphore on Redis: what jobs, tenants and sessions are to lua/semaphore.lua.

A job is a member, its tenant a flow, its session a queue. All that orders them is text that is made here; the script
compares and writes. An entry's want is a member's state.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder, Encoder

from baton.adapters import keys
from baton.adapters.redis import RedisConnection, script
from baton.adapters.redis_commands import Command
from baton.core.admission import Entry, Want
from baton.ports import Told
from baton_events.ids import is_child

_STATES: dict[Want, str] = {"slot": "asks", "none": "rests", "gone": "out"}
_WANTS: dict[str, Want] = {state: want for want, state in _STATES.items()}
_MEMBER_FIELD = "member:"
# So many entries are read or written in one request: no answer comes near what the store may answer at once.
PIECE = 1_000


class Member(Struct, omit_defaults=True):
    """A record of the script. `free`: of its queue; `note`: the agent, which no order is made of."""

    flow: str
    queue: str
    weight: str
    order: str
    revision: int
    state: str
    seen: int = 0
    note: str = ""
    free: bool = False
    held: bool = False
    ran: bool = False
    by: str = ""


class Dropped(Struct):
    """Who is dropped, if it was not seen since."""

    seen: int
    flow: str = ""
    dropped: bool = True


class Answer(Struct):
    """What the script answers (semaphore.lua)."""

    open: int
    held: bool
    revision: int
    alarm_ms: int
    untaken: tuple[Told, ...] = ()


_encode = Encoder().encode
# Not strict: a script may write a whole number as `1e+14`.
_MEMBER = Decoder(Member, strict=False)


@cache
def _text() -> str:
    return script("semaphore", "members")


def member_of(job_id: str, entry: Entry) -> Member:
    """The record of a job, as it says that it is."""
    return Member(
        flow=_escaped(entry.tenant),
        queue=_escaped(entry.session_id),
        free=is_child(job_id),  # it has the session of the job that started it
        weight=f"{99 - entry.priority:02d}",
        order=f"{entry.created_ms:015d}\0{job_id}",
        note=entry.agent,
        revision=entry.epoch,
        state=_STATES[entry.want],
        seen=entry.since_ms,
        held=entry.slot,
        ran=entry.started,
        by=entry.cause,
    )


def entry_from(text: str) -> Entry:
    """A job's entry, from its record."""
    member = _MEMBER.decode(text)
    return Entry(
        _plain(member.flow),
        _plain(member.queue),
        99 - int(member.weight),
        int(member.order.partition("\0")[0]),
        member.revision,
        _WANTS[member.state],
        member.held,
        member.ran,
        member.by,
        member.seen,
        member.note,
    )


def member_field(job_id: str) -> str:
    """Where its record is."""
    return f"{_MEMBER_FIELD}{job_id}"


def queue_of(tenant: str, session_id: str) -> str:
    """The queue of a session."""
    return f"{_escaped(tenant)}\0{_escaped(session_id)}\0"


def _escaped(text: str) -> str:
    """Without a zero, which ends a name in a sorted text."""
    return text.replace("\1", "\1\1").replace("\0", "\1\2")


def _plain(text: str) -> str:
    return "\1".join(part.replace("\1\2", "\0") for part in text.split("\1\1"))


class Semaphore:
    """The script over one connection, with so many slots.

    `store_clock`: sweeps are armed by the store's clock, since a caller's may be wrong; else by the caller's.
    """

    def __init__(
        self, connection: RedisConnection, slots: int, sweep_interval_ms: int, *, store_clock: bool = True
    ) -> None:
        self.redis = connection
        self.slots = slots
        self._interval_ms = sweep_interval_ms
        self._store_clock = store_clock

    async def run(
        self,
        now_ms: int,
        members: Mapping[str, Member | Dropped],
        more: Mapping[str, Any],
        *,
        more_keys: Sequence[str] = (),
        before: Sequence[str] = (),
        beside: Sequence[Command] = (),
    ) -> Answer:
        """Say what members are. `more`: what is optional in a request; `before`: keys of a layout before."""
        plan = {"now": now_ms, "size": self.slots, "interval": self._interval_ms, "members": members, **more}
        if self._store_clock:
            plan["own_clock"] = True
        named = [keys.SLOTS, *keys.SLOT_INDEXES, *more_keys, *before]
        if before:
            plan["former"] = len(named) - len(before) + 1
        answer = await self.redis.run(_text(), named, [_encode(plan).decode()], beside)
        is_open, held, revision, alarm_ms, untaken = answer
        return Answer(int(is_open), bool(held), int(revision), int(alarm_ms), _told(untaken))

    async def entries_of(self, names: Sequence[str]) -> dict[str, Entry]:
        """The entries of these jobs, as many as there are."""
        found: dict[str, Entry] = {}
        for first in range(0, len(names), PIECE):
            some = names[first : first + PIECE]
            texts = await self.redis.execute("HMGET", keys.SLOTS, *map(member_field, some))
            found.update((name, entry_from(text)) for name, text in zip(some, texts, strict=True) if text)
        return found

    async def entries(self) -> dict[str, Entry]:
        """All entries, by job id."""
        found: dict[str, Entry] = {}
        async for texts in pieces(self.redis, keys.SLOTS, member_field("*")):
            found.update((name.removeprefix(_MEMBER_FIELD), entry_from(text)) for name, text in texts.items())
        return found


async def pieces(redis: RedisConnection, key: str, match: str = "*") -> AsyncIterator[dict[str, str]]:
    """The fields of a large hash, some at a time; one that comes or goes meanwhile may be among them or not."""
    cursor = "0"
    while True:
        # The SDK makes a dict of some flat replies.
        cursor, flat = await redis.execute("HSCAN", key, cursor, "MATCH", match, "COUNT", PIECE)
        pairs = list(flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True))
        for first in range(0, len(pairs), PIECE):
            yield dict(pairs[first : first + PIECE])
        if str(cursor) == "0":
            return


def _told(flat: Sequence[str]) -> tuple[Told, ...]:
    entries = {name: entry_from(text) for name, text in zip(flat[::2], flat[1::2], strict=True)}
    return tuple(Told(name, entry.epoch, entry.session_id) for name, entry in sorted(entries.items()))
