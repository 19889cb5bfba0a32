"""The slots as a semaphore on Redis: jobs, tenants and sessions in the terms of lua/semaphore.lua.

A job is a member, its tenant a flow, its session a queue. Their order follows from texts made here; the script compares
and writes. An entry's want is a member's state.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder, Encoder

from baton.engine.all_jobs.slots import QueueEntry, Want
from baton.store.records.all_jobs import SlotGranted
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection, script
from baton.store.transport.redis_rest import Command
from baton_events.ids import is_child

_STATES: dict[Want, str] = {"slot": "asks", "none": "rests", "gone": "out"}
_WANTS: dict[str, Want] = {state: want for want, state in _STATES.items()}
_MEMBER_FIELD = "member:"
# The number of entries in one request: no answer comes near the store's limit.
PIECE = 1_000


class Member(Struct, omit_defaults=True):
    """A record of the script. `free`: of its queue; `note`: the agent, which does not affect the order."""

    flow: str
    queue: str
    weight: str
    order: str
    revision: int
    state: str
    note: str = ""
    free: bool = False
    seen: int = 0
    held: bool = False
    ran: bool = False
    by: str = ""


class Dropped(Struct):
    """A member to drop, if it was not seen since."""

    seen: int
    flow: str = ""
    dropped: bool = True


class Answer(Struct):
    """The answer of the script (semaphore.lua)."""

    held: bool
    revision: int
    alarm_ms: int
    untaken: tuple[SlotGranted, ...] = ()
    counted: bool = False


_encode = Encoder().encode
# Not strict: a script may write a whole number as `1e+14`.
_MEMBER = Decoder(Member, strict=False)


@cache
def _text() -> str:
    return script("semaphore", "members")


def member_of(job_id: str, entry: QueueEntry) -> Member:
    """Return the record of a job, as it reports itself."""
    return Member(
        flow=_escaped(entry.tenant),
        queue=_escaped(entry.session_id),
        free=is_child(job_id),  # it has the session of the job that started it
        weight=f"{99 - entry.priority:02d}",
        order=f"{entry.created_ms:015d}\0{job_id}",
        note=entry.agent,
        revision=entry.epoch,
        state=_STATES[entry.want],
    )


def entry_from(text: str) -> QueueEntry:
    """Return a job's entry, from its record."""
    member = _MEMBER.decode(text)
    return QueueEntry(
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
    return f"{_MEMBER_FIELD}{job_id}"


def flow_of(tenant: str) -> str:
    """Return how the places of a tenant's members begin."""
    return f"{_escaped(tenant)}\0"


def queue_of(tenant: str, session_id: str) -> str:
    return f"{flow_of(tenant)}{_escaped(session_id)}\0"


def _escaped(text: str) -> str:
    """Escape zeros, which end a name in a sorted text."""
    return text.replace("\1", "\1\1").replace("\0", "\1\2")


def _plain(text: str) -> str:
    return "\1".join(part.replace("\1\2", "\0") for part in text.split("\1\1"))


class Semaphore:
    """The script over one connection, with `slots` slots, of which one flow holds `most_of_flow` at most (0: any).

    `named`: its keys, in the order in which the script has them. `store_clock`: sweeps are armed by the store's clock,
    since a caller's may be wrong; else by the caller's.
    """

    def __init__(
        self,
        connection: RedisConnection,
        slots: int,
        sweep_interval_ms: int,
        *,
        store_clock: bool = True,
        most_of_flow: int = 0,
        named: Sequence[str] = (keys.SLOTS, keys.SLOT_ORDER),
    ) -> None:
        self.redis = connection
        self._named, self.slots = named, slots
        self._interval_ms, self.most_of_flow = sweep_interval_ms, most_of_flow
        self._store_clock = store_clock

    async def run(
        self,
        now_ms: int,
        members: Mapping[str, Member | Dropped],
        more: Mapping[str, Any],
        *,
        more_keys: Sequence[str] = (),
        beside: Sequence[Command] = (),
    ) -> Answer:
        """Write the states of members. `more`: optional fields of a request."""
        plan = {"now": now_ms, "size": self.slots, "interval": self._interval_ms, "members": members, **more}
        if self._store_clock:
            plan["own_clock"] = True
        if self.most_of_flow:
            plan["most"] = self.most_of_flow
        named = [*self._named, *more_keys]
        frees = all(isinstance(each, Dropped) or each.state == "out" for each in members.values())
        answer = await self.redis.run(_text(), named, [_encode(plan).decode()], beside, frees=frees)
        held, revision, alarm_ms, flat, counted = answer
        entries = {name: entry_from(text) for name, text in zip(flat[::2], flat[1::2], strict=True)}
        granted = tuple(SlotGranted(name, one.epoch, one.session_id) for name, one in sorted(entries.items()))
        return Answer(bool(held), int(revision), int(alarm_ms), granted, bool(counted))

    async def entries_of(self, names: Sequence[str]) -> dict[str, QueueEntry]:
        """Return the entries of these jobs, as many as there are."""
        found: dict[str, QueueEntry] = {}
        for first in range(0, len(names), PIECE):
            some = names[first : first + PIECE]
            texts = await self.redis.execute("HMGET", self._named[0], *map(member_field, some))
            found.update((name, entry_from(text)) for name, text in zip(some, texts, strict=True) if text)
        return found

    async def holders(self) -> dict[str, QueueEntry]:
        """Return the entries of the members that hold it."""
        first, behind = f"[{keys.SLOT_HOLDERS}", f"({chr(ord(keys.SLOT_HOLDERS) + 1)}"
        members = await self.redis.execute("ZRANGE", self._named[1], first, behind, "BYLEX")
        return await self.entries_of([member[1:] for member in members])

    async def entries(self) -> dict[str, QueueEntry]:
        """Return all entries, by job id; those that come or go meanwhile may be among them or not."""
        found, cursor, wanted = dict[str, QueueEntry](), "0", member_field("*")
        while True:
            cursor, flat = await self.redis.execute("HSCAN", self._named[0], cursor, "MATCH", wanted, "COUNT", PIECE)
            # The SDK makes a dict of some flat replies.
            pairs = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True)
            found.update((name.removeprefix(_MEMBER_FIELD), entry_from(text)) for name, text in pairs)
            if str(cursor) == "0":
                return found
