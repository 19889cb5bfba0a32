"""The slots as a semaphore on Redis: jobs, tenants and sessions in the terms of lua/semaphore.lua.

A job is a member, its tenant a flow, its session a queue. Their order follows from texts made here; the script compares
and writes. An entry's want is a member's state. Entries of earlier versions are taken over before the first slot is
given. For a day after that their instances may run: they read that the admission is stopped, and their writes are taken
over with each update of this version.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder, Encoder

from baton.engine.all_jobs.slots import BY_RECONCILER, QueueEntry, Want
from baton.engine.commit.codec import load_entry
from baton.engine.commit.patch import Patch
from baton.storage.ports.all_jobs import SlotGranted
from baton.storage.redis import keys
from baton.storage.redis.connection import RedisConnection, script
from baton.transport.redis_rest import Command
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
    seen: int = 0
    note: str = ""
    free: bool = False
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

    open: int
    held: bool
    revision: int
    alarm_ms: int
    untaken: tuple[SlotGranted, ...] = ()


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
        seen=entry.since_ms,
        held=entry.slot,
        ran=entry.started,
        by=entry.granted_by,
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
    """Return the field of a job's record."""
    return f"{_MEMBER_FIELD}{job_id}"


def queue_of(tenant: str, session_id: str) -> str:
    """Return the queue of a session."""
    return f"{_escaped(tenant)}\0{_escaped(session_id)}\0"


def _escaped(text: str) -> str:
    """Escape zeros, which end a name in a sorted text."""
    return text.replace("\1", "\1\1").replace("\0", "\1\2")


def _plain(text: str) -> str:
    return "\1".join(part.replace("\1\2", "\0") for part in text.split("\1\1"))


class Semaphore:
    """The script over one connection, with `slots` slots.

    `named`: its keys, in the order in which the script has them. `store_clock`: sweeps are armed by the store's clock,
    since a caller's may be wrong; else by the caller's.
    """

    def __init__(
        self,
        connection: RedisConnection,
        slots: int,
        reconcile_interval_ms: int,
        *,
        store_clock: bool = True,
        named: Sequence[str] = (keys.SLOTS, *keys.SLOT_INDEXES),
    ) -> None:
        self.redis = connection
        self._named = named
        self.slots = slots
        self._interval_ms = reconcile_interval_ms
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
        """Write the states of members. `more`: optional fields of a request; `before`: keys of an earlier layout."""
        plan = {"now": now_ms, "size": self.slots, "interval": self._interval_ms, "members": members, **more}
        if self._store_clock:
            plan["own_clock"] = True
        named = [*self._named, *more_keys, *before]
        if before:
            plan["former"] = len(named) - len(before) + 1
        frees = all(isinstance(each, Dropped) or each.state == "out" for each in members.values())
        answer = await self.redis.run(_text(), named, [_encode(plan).decode()], beside, frees=frees)
        is_open, held, revision, alarm_ms, untaken = answer
        return Answer(int(is_open), bool(held), int(revision), int(alarm_ms), _granted(untaken))

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
        return await self.entries_of(await self.redis.execute("ZRANGE", self._named[2], 0, -1))

    async def entries(self) -> dict[str, QueueEntry]:
        """Return all entries, by job id."""
        found: dict[str, QueueEntry] = {}
        async for texts in pieces(self.redis, self._named[0], member_field("*")):
            found.update((name.removeprefix(_MEMBER_FIELD), entry_from(text)) for name, text in texts.items())
        return found


async def pieces(redis: RedisConnection, key: str, match: str = "*") -> AsyncIterator[dict[str, str]]:
    """Yield the fields of a large hash, some at a time; fields that come or go meanwhile may be among them or not."""
    cursor = "0"
    while True:
        # The SDK makes a dict of some flat replies.
        cursor, flat = await redis.execute("HSCAN", key, cursor, "MATCH", match, "COUNT", PIECE)
        pairs = list(flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True))
        for first in range(0, len(pairs), PIECE):
            yield dict(pairs[first : first + PIECE])
        if str(cursor) == "0":
            return


def _granted(flat: Sequence[str]) -> tuple[SlotGranted, ...]:
    entries = {name: entry_from(text) for name, text in zip(flat[::2], flat[1::2], strict=True)}
    return tuple(SlotGranted(name, entry.epoch, entry.session_id) for name, entry in sorted(entries.items()))


BESIDE_MS = 86_400_000
# Earlier versions read it as stopped. No operator has ever stopped it at that time.
_BY_US = "1"


class OpenSemaphore:
    """A semaphore that first takes over the entries of earlier versions."""

    def __init__(self, semaphore: Semaphore) -> None:
        self._semaphore = semaphore
        self._redis = semaphore.redis
        self._is_over = False

    async def run(self, now_ms: int, members: Mapping[str, Member], more: dict[str, Any], **rest: Any) -> Answer:
        """Run as `Semaphore.run` does; entries that are taken over count as earlier ones."""

        async def send() -> Answer:
            before = () if self._is_over else keys.TRACES_BEFORE
            return await self._semaphore.run(now_ms, members, more, before=before, **rest)

        answer = await send()
        self._is_over = not answer.open
        if not answer.open or not await self._take_over(more["fill"], is_first=answer.open < 0):
            return answer
        again = await send()
        again.alarm_ms = again.alarm_ms or answer.alarm_ms
        return again

    async def ready(self) -> None:
        """Take over earlier entries before something is read."""
        if not self._is_over:
            is_open, traces = await self._redis.pipeline(["HGET", keys.SLOTS, "open"], ["EXISTS", *keys.TRACES_BEFORE])
            self._is_over = is_open == "0"
            if traces and not self._is_over:
                await self._take_over(BY_RECONCILER, is_first=is_open is None)

    async def _take_over(self, by: str, *, is_first: bool) -> bool:
        """Return whether something was taken over, if only that the semaphore is open now."""
        if is_first:
            await self._begin()
        beside, found = await self._redis.pipeline(["EXISTS", keys.BESIDE_BEFORE], ["EXISTS", *keys.SLOTS_BEFORE])
        if beside:
            await self._redis.pipeline(
                ["SET", keys.STOPPED_BEFORE, _BY_US, "PX", BESIDE_MS], ["HSET", keys.FLAGS_BEFORE, "stopped", _BY_US]
            )
        for key in keys.SLOTS_BEFORE if found else ():
            await self._move(key, by)
        if is_first:
            await self._redis.execute("HSETNX", keys.SLOTS, "open", 1)
        elif not beside:
            await self._redis.pipeline(["HSET", keys.SLOTS, "open", 0], ["DEL", *keys.ALL_BEFORE])
        return bool(found) or is_first

    async def _begin(self) -> None:
        """Note whether it was stopped, and that earlier instances may still run; this may be repeated."""
        stopped = await self._redis.pipeline(["GET", keys.STOPPED_BEFORE], ["HGET", keys.FLAGS_BEFORE, "stopped"])
        since = next((text for text in stopped if text and text != _BY_US), "0")
        await self._redis.pipeline(
            ["HSETNX", keys.SLOTS, "closed", since], ["SET", keys.BESIDE_BEFORE, 1, "NX", "PX", BESIDE_MS]
        )

    async def _move(self, key: str, by: str) -> None:
        """Move entries of an earlier layout; one that is written meanwhile is left to the next time."""
        async for texts in pieces(self._redis, key):
            members = {name: member_of(name, load_entry(text)) for name, text in texts.items()}
            # A job that holds a slot here was informed there that it holds none.
            await self._semaphore.run(0, members, {"again": by})
            patch = Patch(0)
            patch.equal(key, texts)
            patch.write("HDEL", key, list(texts))
            await self._redis.written(patch)
