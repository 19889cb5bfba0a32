"""The memory of agents on Redis: a session's newest entries, its files, and answers of models.

Invariant: all of a chat is kept for as long as its jobs' data after it was last used. A file's name follows from its
content, so keeping it twice is one file. Must not: know the subject of a session, or the content of a file.

A session's memory is one hash under a hash tag of its own; each write is decided on what is there, and written where
it still is. The cache is one GET before a model call, and one SET with its expiry after it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from secrets import token_urlsafe
from typing import TYPE_CHECKING

import msgspec

from baton.engine.commit.patch import STAMP, Patch, Stamps, compared
from baton.engine.commit.stored_bytes import LEAST_FILE_MS
from baton.sdk.records.memory import SESSION_ENTRIES, MemoryEntry
from baton.store.records.objects import session_place
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from baton_events.errors import PayloadGoneError, StoreError, UnreadablePayloadError
from baton_events.ids import job_of_call, root_of
from baton_events.sealing import PayloadContext, Sealing

if TYPE_CHECKING:
    from baton.store.objects import Objects


class RedisModelCache:
    """`ModelCache` over one connection."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def get(self, tenant: str, key: str) -> str | None:
        """Return the text that is kept under the key; one that cannot be opened is none."""
        sealing = self._redis.sealing
        found = await self._redis.execute("GET", keys.model_cache_key(tenant, sealing.keyed(key)))
        try:
            return None if found is None else sealing.open(str(found), "text", f"answer:{key}")
        except UnreadablePayloadError:
            return None

    async def put(self, tenant: str, key: str, text: str, seconds: int) -> None:
        sealing = self._redis.sealing
        kept = sealing.seal(text, PayloadContext(tenant, "text", f"answer:{key}"))
        await self._redis.execute("SET", keys.model_cache_key(tenant, sealing.keyed(key)), kept, "EX", seconds)


# The piece of a file in one field: a few of them, sealed a third larger, are below the limit of an answer.
# That a tenant has listed; of older ones the messages stay, and are found by their ids.
MOST_SESSIONS = 10_000
_PIECE_CHARS, _PIECES_AT_ONCE = 750_000, 4
# The field of a file with the time since which it is kept, and its size.
_KEPT = "kept"
# The field of a file that is an object, with its ref; it has no pieces.
_APART = "apart"
# The field of a file with the key by which it has its name; empty: none.
BY = "by"
# Objects that may not be named yet are left alone; and how long a deletion of a session's objects may take.
_YOUNG_MS, _PRUNED_MS = 3_600_000, 600_000


def sealed_pieces(sealing: Sealing, tenant: str, session_id: str, text: str) -> list[str]:
    """Return a file in pieces, each sealed by itself: who keeps it again may die, or be overtaken, between two."""
    cut = [text[first : first + _PIECE_CHARS] for first in range(0, max(1, len(text)), _PIECE_CHARS)]
    places = [_piece_place(session_id, number, len(cut)) for number in range(len(cut))]
    return [
        sealing.seal(piece, PayloadContext(tenant, "file", place)) for piece, place in zip(cut, places, strict=True)
    ]


def text_of_pieces(sealing: Sealing, session_id: str, pieces: Sequence[str]) -> str:
    """Return a file. Raises UnreadablePayloadError."""
    places = [_piece_place(session_id, number, len(pieces)) for number in range(len(pieces))]
    return "".join([sealing.open(piece, "file", place) for piece, place in zip(pieces, places, strict=True)])


def _piece_place(session_id: str, number: int, count: int) -> str:
    return session_id if count == 1 else f"{session_id}:{number}:{count}"


# Is told of files of a tenant that were removed: since when each was kept, and its size.
GiveBack = Callable[[str, Sequence[tuple[int, int]]], Awaitable[None]]


class Chats:
    """Chats of all tenants. Each method raises StoreError where the store does not answer.

    All of a chat expires `retention_ms` after it was last used, or is waited for.

    Two days after it at the earliest: nobody knows for how long a job is in line. `objects`: where files from
    `apart_bytes` on are kept; None: with all else.
    """

    def __init__(
        self, connection: RedisConnection, retention_ms: int, objects: "Objects | None" = None, apart_bytes: int = 0
    ) -> None:
        self._redis, self._objects, self._apart_bytes = connection, objects, apart_bytes
        self._retention_ms = max(retention_ms, LEAST_FILE_MS)

    async def note_session(self, tenant: str, session_id: str, used_ms: int) -> None:
        """Note that a session is created, or used again; so many are listed, those that were used last."""
        key = keys.sessions_key(tenant)
        await self._redis.pipeline(
            ["ZADD", key, used_ms, session_id],
            ["ZREMRANGEBYSCORE", key, "-inf", used_ms - self._retention_ms],
            ["ZREMRANGEBYRANK", key, 0, -MOST_SESSIONS - 1],
            ["PEXPIRE", key, self._retention_ms],
        )

    async def session_used_ms(self, tenant: str, session_id: str) -> int | None:
        """Return when a session was last used; None: it was never created, or it is forgotten."""
        [score] = await self._redis.read(("ZSCORE", keys.sessions_key(tenant), session_id))
        return None if score is None else int(float(score))

    async def is_known(self, tenant: str, session_id: str) -> bool:
        """Return whether a session was created, or has files: those of a job outlive it."""
        if await self.session_used_ms(tenant, session_id) is not None:
            return True
        [there] = await self._redis.read(("EXISTS", keys.files_key(tenant, session_id)))
        return bool(there)

    async def newest_sessions(self, tenant: str, until_ms: int, skipped: int, limit: int) -> Sequence[tuple[str, int]]:
        """Return sessions last used by `until_ms`, with that time, newest first, without the `skipped` first ones."""
        span: list[str | int] = [until_ms, "-inf", "BYSCORE", "REV", "LIMIT", skipped, limit, "WITHSCORES"]
        [flat] = await self._redis.read(("ZRANGE", keys.sessions_key(tenant), *span))
        return [(str(name), int(float(score))) for name, score in zip(flat[::2], flat[1::2], strict=True)]

    async def keep_file(self, tenant: str, session_id: str, name: str, text: str, now_ms: int) -> bool:
        """Keep a file; it exists once all of its pieces do, and expires from its first piece on, never in between.

        What is sealed is all of it, and its name, which is a digest; objects are sealed by their own store.
        """
        name, size_chars = self._redis.sealing.keyed(name), len(text)
        key, of_session = keys.files_key(tenant, session_id, name), keys.files_key(tenant, session_id)
        await self._redis.pipeline(
            ["SADD", of_session, name],
            ["HSET", key, BY, self._redis.sealing.first],
            *(["PEXPIRE", each, self._retention_ms, how] for each in (of_session, key) for how in ("NX", "GT")),
        )
        ended: list[str | int]
        if self._objects is not None and size_chars >= self._apart_bytes:
            [is_pruned] = await self._redis.read(("EXISTS", keys.pruned_files_key(of_session)))
            if is_pruned:  # whoever deletes them may not have seen that there is a file again
                raise StoreError(f"the files of session {session_id!r} are just deleted: send it again")
            ref = await self._objects.put(session_place(tenant, session_id), tenant, text.encode())
            ended = ["HSET", key, "pieces", 0, _APART, ref]
        else:
            pieces = sealed_pieces(self._redis.sealing, tenant, session_id, text)
            ended = ["HSET", key, "pieces", len(pieces)]
            for number, piece in enumerate(pieces):
                await self._redis.execute("HSET", key, number, piece)
        # Without an expiry where the chat was forgotten meanwhile.
        expires: list[str | int] = ["PEXPIRE", key, self._retention_ms, "NX"]
        _, is_new, _ = await self._redis.pipeline(ended, ["HSETNX", key, _KEPT, f"{now_ms} {size_chars}"], expires)
        return bool(is_new)

    async def read_file(self, tenant: str, session_id: str, name: str) -> str | None:
        """Return a file's text, and prolong its time; None: there is none (any more).

        Raises UnreadablePayloadError: it may be one whose name is by a key that is not here.
        """
        count, ref, key, kept_name = None, None, "", ""
        for kept_name in self._redis.sealing.names_of(name):
            key = keys.files_key(tenant, session_id, kept_name)
            [[count, ref]] = await self._redis.read(("HMGET", key, "pieces", _APART))
            if count is not None:
                break
        if count is None:
            await self._require_keys(tenant, session_id)
            return None
        await self._prolong(tenant, session_id, [kept_name], self._retention_ms)
        if ref and self._objects is not None:
            with suppress(PayloadGoneError):
                return (await self._objects.get(ref)).decode()
            return None
        fields, pieces = list(map(str, range(int(count)))), list[str | None]()
        for first in range(0, len(fields), _PIECES_AT_ONCE):
            [found] = await self._redis.read(("HMGET", key, *fields[first : first + _PIECES_AT_ONCE]))
            pieces += found
        there = [piece for piece in pieces if piece is not None]
        # Else it has expired meanwhile.
        return text_of_pieces(self._redis.sealing, session_id, there) if len(there) == len(fields) else None

    async def _require_keys(self, tenant: str, session_id: str) -> None:
        """Raise UnreadablePayloadError where the session has a file whose name is by a key that is not here."""
        [names] = await self._redis.read(("SMEMBERS", keys.files_key(tenant, session_id)))
        asked = [["HGET", keys.files_key(tenant, session_id, name), BY] for name in names]
        for key_id in await self._redis.pipeline(*asked) if asked else ():
            if key_id and key_id not in self._redis.sealing.key_ids:
                raise UnreadablePayloadError(key_id, "is not there")

    async def forget_chat(
        self, tenant: str, session_id: str, give_back: "GiveBack | None" = None
    ) -> Sequence[tuple[int, int]]:
        """Forget a session and its files; return since when each file was kept, and its size. Repeatable.

        `give_back` is told the same, also where this fails: who repeats it finds only what is left.
        """
        kept = list[tuple[int, int]]()
        try:
            await self._forget_chat(tenant, session_id, kept)
        finally:
            if kept and give_back is not None:
                await give_back(tenant, kept)
        return kept

    async def _forget_chat(self, tenant: str, session_id: str, kept: list[tuple[int, int]]) -> None:
        of_session = keys.files_key(tenant, session_id)
        [names] = await self._redis.read(("SMEMBERS", of_session))
        for name in names:  # in a cluster each is on another server
            key = keys.files_key(tenant, session_id, name)
            text, gone = await self._redis.pipeline(["HGET", key, _KEPT], ["DEL", key])
            if text and gone:
                at_ms, _, size_bytes = str(text).partition(" ")
                kept.append((int(at_ms), int(size_bytes)))
        if names:  # last: who repeats this, as it failed before, finds by them what is left
            await self._redis.execute("SREM", of_session, *names)
        await self._redis.execute("ZREM", keys.sessions_key(tenant), session_id)
        if self._objects is not None:
            await self._delete_apart(self._objects, session_place(tenant, session_id))

    async def prune_apart(self, now_ms: int) -> int:
        """Delete the objects of sessions whose files have expired; return how many there were."""
        objects, count = self._objects, 0
        if objects is not None:
            for tenant in await objects.tenants():
                for place in await objects.places(f"{tenant}/s", now_ms - _YOUNG_MS):
                    count += await self._delete_apart(objects, place)
        return count

    async def _delete_apart(self, objects: "Objects", place: str) -> int:
        """Delete a session's objects, unless it has files.

        The mark is written before that is read. `keep_file` reads it after it has named the file, and before it looks
        for its object: one sees the other, or the object is gone by then.
        """
        of_session = keys.files_key_at(place.rpartition("/")[2])
        mark = keys.pruned_files_key(of_session)
        await self._redis.execute("SET", mark, 1, "PX", _PRUNED_MS)
        [there] = await self._redis.read(("EXISTS", of_session))
        count = 0 if there else await objects.delete_below(place)
        await self._redis.execute("DEL", mark)
        return count

    async def need_files(self, tenant: str, session_id: str, for_ms: int) -> None:
        """Keep the files while a job waits; for a shorter wait, the last reader has prolonged them enough."""
        if 2 * for_ms > self._retention_ms:
            [names] = await self._redis.read(("SMEMBERS", keys.files_key(tenant, session_id)))
            await self._prolong(tenant, session_id, names, for_ms + self._retention_ms)

    async def prolong_files(self, ages_ms: Mapping[tuple[str, str], int]) -> None:
        """Keep files on where a job has not ended: by tenant and session, how old the oldest such job is.

        Those of a young one have enough time left.
        """
        sessions = [session for session, age_ms in ages_ms.items() if 4 * age_ms > self._retention_ms]
        if sessions:
            found = await self._redis.read(*(("SMEMBERS", keys.files_key(*session)) for session in sessions))
            for session, names in zip(sessions, found, strict=True):
                await self._prolong(*session, names, self._retention_ms)

    async def _prolong(self, tenant: str, session_id: str, names: Sequence[str], kept_ms: int) -> None:
        """Keep them for at least as long: what waits for them may need them longer than their next reader."""
        if names:
            prolonged = [keys.files_key(tenant, session_id, name) for name in ("", *names)]
            commands: list[list[str | int]] = [["PEXPIRE", key, kept_ms, "GT"] for key in prolonged]
            await self._redis.pipeline(*commands)


_encode = msgspec.json.Encoder().encode
_ENTRY = msgspec.json.Decoder(MemoryEntry)
# A job that is dropped has a field of its own: what it remembers comes too late.
_ENTRY_FIELD, _FORGOTTEN, _DROPPED = "entry:", "forgotten", "dropped:"
_ATTEMPTS = 8
_Fields = dict[str, str]


class RedisSessionMemory:
    """`SessionMemory` over one connection. A session's memory expires `retention_ms` after it was last added to."""

    def __init__(self, connection: RedisConnection, retention_ms: int) -> None:
        self._redis = connection
        self._retention_ms = retention_ms
        self._stamps = Stamps(lambda: token_urlsafe(8))

    async def add(self, tenant: str, entry: MemoryEntry) -> bool:
        """Keep it among the newest ones; False: its job is dropped, or its session was forgotten since it began."""

        def added(before: _Fields) -> _Fields | None:
            if entry.created_ms <= int(before.get(_FORGOTTEN, -1)) or f"{_DROPPED}{root_of(entry.job_id)}" in before:
                return None
            text = self._redis.sealing.seal(_encode(entry).decode(), PayloadContext(tenant, "text", entry.session_id))
            own = {f"{_ENTRY_FIELD}{entry.id}": f"{entry.created_ms} {text}"}
            entries = {field: text for field, text in {**before, **own}.items() if field.startswith(_ENTRY_FIELD)}
            oldest = sorted(entries, key=lambda field: (int(entries[field].partition(" ")[0]), field))[
                :-SESSION_ENTRIES
            ]
            return {field: text for field, text in {**before, **own}.items() if field not in oldest}

        _, after = await self._change(tenant, entry.session_id, added)
        return after is not None

    async def recent(self, tenant: str, session_id: str) -> tuple[MemoryEntry, ...]:
        """Return the session's entries, the oldest first."""
        # The SDK makes a dict of each flat reply in a pipeline.
        (fields,) = await self._redis.pipeline(["HGETALL", keys.session_memory_key(tenant, session_id)])
        kept = (text.partition(" ")[2] for field, text in fields.items() if field.startswith(_ENTRY_FIELD))
        texts = [self._redis.sealing.open(text, "text", session_id) for text in kept]
        return tuple(sorted(map(_ENTRY.decode, texts), key=lambda entry: (entry.created_ms, entry.id)))

    async def forget_jobs(self, tenant: str, session_id: str, job_ids: Sequence[str]) -> tuple[str, ...]:
        """Delete the entries of jobs, and of those below them, and refuse later ones; return their ids."""
        marks, deleted = dict.fromkeys((f"{_DROPPED}{job_id}" for job_id in job_ids), ""), list[str]()

        def dropped(before: _Fields) -> _Fields | None:
            deleted[:] = [field for field in before if field.startswith(_ENTRY_FIELD) and _mark_of(field) in marks]
            if not deleted and before.keys() >= marks.keys():
                return None
            return {field: text for field, text in before.items() if field not in deleted} | marks

        await self._change(tenant, session_id, dropped)
        return tuple(field.removeprefix(_ENTRY_FIELD) for field in deleted)

    async def forget(self, tenant: str, session_id: str, now_ms: int) -> tuple[str, ...]:
        """Forget the session, and refuse later entries of earlier jobs; return the ids that were there."""

        def forgotten(before: _Fields) -> _Fields:
            # The mark only grows: an older one that comes late changes nothing.
            return {_FORGOTTEN: str(max(now_ms, int(before.get(_FORGOTTEN, 0))))}

        before, _ = await self._change(tenant, session_id, forgotten, frees=True)
        return tuple(sorted(field.removeprefix(_ENTRY_FIELD) for field in before if field.startswith(_ENTRY_FIELD)))

    async def _change(
        self, tenant: str, session_id: str, change: Callable[[_Fields], _Fields | None], *, frees: bool = False
    ) -> tuple[_Fields, _Fields | None]:
        """Return the fields before and after the change; None: no change. `frees`: little stays of them."""
        key = keys.session_memory_key(tenant, session_id)
        for _ in range(_ATTEMPTS):
            [flat] = await self._redis.read(("HGETALL", key))
            before = dict(zip(flat[::2], flat[1::2], strict=True))
            after = change(before)
            if after is None or await self._written(key, before, after, frees=frees):
                return before, after
        raise StoreError(f"the memory of session {session_id!r} was changed by others {_ATTEMPTS} times in a row")

    async def _written(self, key: str, before: _Fields, after: _Fields, *, frees: bool) -> bool:
        patch = Patch(0)
        if before:
            patch.equal(key, {STAMP: before[STAMP]})
        else:
            patch.missing(key, key)
        after = {**after, STAMP: compared(self._stamps.next())}
        if frees:  # the whole key is replaced, which a store takes whose memory is full
            patch.write("DEL", key, [])
            before = {}
        more = [text for field, each in after.items() if before.get(field) != each for text in (field, each)]
        gone = [field for field in before if field not in after]
        for command, arguments in (("HSET", more), ("HDEL", gone), ("PEXPIRE", [str(self._retention_ms)])):
            if arguments:
                patch.write(command, key, arguments)
        return await self._redis.written(patch)


def _mark_of(field: str) -> str:
    """Return the mark of an entry's job: its id is a job's, or that of a call of one."""
    return f"{_DROPPED}{root_of(job_of_call(field.removeprefix(_ENTRY_FIELD)))}"
