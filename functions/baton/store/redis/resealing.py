"""Rewrites what other keys have sealed, so that an old one can be taken away: ended jobs, their sessions and events.

Invariant: a piece is written where it is still as it was read, and says the same before and after. A job that has not
ended is left: what it writes from now on is sealed by the new key, the rest once it has ended. Plain texts are sealed,
too; where no key seals, all become plain, but for objects. Cached answers are forgotten: what they answer is not known.
The audit log is written anew beside itself, and takes its place at once.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from baton.engine.all_jobs.job_list import Found
from baton.engine.commit.codec import dump, load_call, load_item, load_job, load_score, require_readable
from baton.engine.commit.patch import STAMP, Patch, Stamps, compared
from baton.engine.commit.usage_ledger import ends_event
from baton.engine.state import Job
from baton.store.records.objects import job_place
from baton.store.redis import keys
from baton.store.redis.access import AUDIT_PLACE
from baton.store.redis.agent_memory import BY, sealed_pieces, text_of_pieces
from baton.store.redis.connection import RedisConnection
from baton.store.redis.reader import in_pieces, pieces
from baton.store.redis.texts import TreeTexts
from baton.store.redis.tree.details import as_dict
from baton_events.errors import StoreError, UnreadablePayloadError
from baton_events.ids import digest, is_child
from baton_events.sealing import SEALED, Kind, PayloadContext

if TYPE_CHECKING:
    from baton.store.objects import ResealedObjects

_PIECE_BYTES, _NAMES, _AHEAD_SECONDS = 1_000_000, 500, 60
_LOADS: Mapping[str, Callable[..., Any]] = {"job": load_job, "item": load_item, "score": load_score}
_IN_PART = '"sealed":"'
_Fields = Mapping[str, str]


class Resealed(Struct):
    """The result of a page: ended jobs, texts, jobs that have not ended; by key, jobs that cannot be opened."""

    jobs: int = 0
    texts: int = 0
    running: int = 0
    unreadable: dict[str, int] = field(default_factory=dict[str, int])


class Resealing:
    """Reseals what belongs to jobs, page by page."""

    def __init__(self, connection: RedisConnection, objects: "ResealedObjects | None" = None) -> None:
        self._redis, self._sealing, self._objects = connection, connection.sealing, objects
        self._stamps, self._sessions = Stamps(lambda: token_urlsafe(8)), set[tuple[str, str]]()

    async def page(self, found: Sequence[Found]) -> Resealed:
        """Reseal these jobs, the jobs below them, and their sessions and events."""
        total = Resealed()
        for row in found:
            if is_child(row.job_id):
                continue
            try:
                texts = await self._tree(row.job_id)
                total.running += texts is None
                total.jobs += texts is not None
                total.texts += texts or 0
            except UnreadablePayloadError as error:
                total.unreadable[error.key_id] = total.unreadable.get(error.key_id, 0) + 1
        return total

    async def _tree(self, root_id: str) -> int | None:
        """Reseal a tree; return how many texts that were. None: one of its jobs has not ended."""
        state = as_dict(await self._redis.execute("HGETALL", keys.state_key(root_id)))
        jobs = {name.removeprefix("job:"): load_job(text) for name, text in state.items() if name.startswith("job:")}
        if not all(job.ended for job in jobs.values()):
            return None
        texts, count = TreeTexts(self._sealing, root_id, jobs.values()), 0
        for job in jobs.values():
            calls = await in_pieces(self._redis, keys.calls_key(job.id))
            new = {
                name: self._record(load_call, text, texts) if keys.is_call(name) else self._text(text, texts)
                for name, text in calls.items()
            }
            count += await self._write(keys.calls_key(job.id), calls, new)
            count += await self._parts(job.id, state, texts) + await self._beside(job)
        new = {}
        for name, text in state.items():
            kind = name.partition(":")[0]
            if kind in _LOADS and text:
                new[name] = self._record(_LOADS[kind], text, texts)
            elif kind == "message" and text:
                new[name] = self._text(text, texts)
        count += await self._write(keys.state_key(root_id), state, new)
        tenant, objects = next(iter(jobs.values())).tenant if jobs else "", self._objects
        if objects is None:
            return count
        refs = await objects.refs(job_place(tenant, root_id))  # which nothing else changes
        return count + sum([await objects.reseal(ref, tenant) for ref in refs])

    def _is_current(self, text: str, head: str = "") -> bool:
        first = self._sealing.first
        start = f"{head}{SEALED}{first}:" if first else f"{head}{SEALED}"
        return text.startswith(start) is bool(first)

    def _record(self, load: Callable[..., Any], text: str, texts: TreeTexts) -> str:
        """Return the text of a record with its payloads sealed anew, unless they are by the key that seals."""
        if self._is_current(text, '{"sealed":"'):
            return text
        record = load(text, texts)
        require_readable(record)
        return dump(record, texts)

    def _text(self, text: str, texts: TreeTexts) -> str:
        return text if self._is_current(text) else texts.seal(texts.unsealed(text))

    def _part(self, part: str, texts: TreeTexts) -> str:
        if not ends_event(part):
            return part if self._is_current(part) else texts.seal(texts.part(part))
        if self._is_current(part.partition(_IN_PART)[2]):
            return part
        plain = texts.part(part)
        return texts.with_events_sealed({"": (plain,)})[""][0] if texts.seals else plain

    def _anew(self, text: str, tenant: str, kind: Kind, belongs_to: str) -> str:
        if self._is_current(text):
            return text
        return self._sealing.seal(self._sealing.open(text, kind, belongs_to), PayloadContext(tenant, kind, belongs_to))

    async def _write(self, key: str, before: _Fields, new: _Fields) -> int:
        """Write the fields that differ, in pieces; return how many. A hash with a stamp gets another one."""
        changed = {name: text for name, text in new.items() if text != before[name]}
        stamp = before.get(STAMP)
        for piece in pieces(((name, len(text)) for name, text in changed.items()), _PIECE_BYTES):
            patch, fields = Patch(0), {name: changed[name] for name in piece}
            patch.equal(key, {name: before[name] for name in piece} | ({STAMP: stamp} if stamp else {}))
            if stamp:
                fields[STAMP] = stamp = compared(self._stamps.next())
            patch.write("HSET", key, [text for pair in fields.items() for text in pair])
            if not await self._redis.written(patch):
                raise StoreError(f"{key} changes: reseal once more")
        return len(changed)

    async def _parts(self, job_id: str, state: _Fields, texts: TreeTexts) -> int:
        """Write a stream anew, each entry under its id, if any part of it is sealed otherwise."""
        key = keys.parts_key(job_id)
        rows, left_ms = await self._redis.pipeline(["XRANGE", key, "-", "+"], ["PTTL", key])
        entries = [(str(name), list(map(str, flat[1::2]))) for name, flat in rows or ()]
        new = [(name, [self._part(part, texts) for part in parts]) for name, parts in entries]
        if new == entries:
            return 0
        patch = Patch(0)
        patch.equal(keys.state_key(job_id), {STAMP: state.get(STAMP)})
        patch.write("DEL", key, [])
        for name, parts in new:
            patch.write("XADD", key, [name, *(text for part in parts for text in ("p", part))])
        if int(left_ms) > 0:
            patch.write("PEXPIRE", key, [str(left_ms)])
        if not await self._redis.written(patch):
            raise StoreError(f"{key} changes: reseal once more")
        return sum(len(parts) for _, parts in entries)

    async def _beside(self, job: Job) -> int:
        """Reseal what is kept beside a job's tree: its session's memory and files, the event that it handles."""
        count, (_, event_id) = 0, job.handles
        if event_id:
            key = keys.app_event_key(event_id)
            kept = as_dict(await self._redis.execute("HGETALL", key))
            texts = {name: text for name, text in kept.items() if name == "event" or name.startswith("note:")}
            new = {name: self._anew(text, job.tenant, "text", event_id) for name, text in texts.items()}
            count += await self._write(key, texts, new)
        session = (job.tenant, job.session_id)
        if session in self._sessions:
            return count
        self._sessions.add(session)
        key = keys.session_memory_key(*session)
        memory = as_dict(await self._redis.execute("HGETALL", key))
        entries = {name: text.partition(" ") for name, text in memory.items() if name.startswith("entry:")}
        new = {
            name: f"{at} {self._anew(text, job.tenant, 'text', job.session_id)}"
            for name, (at, _, text) in entries.items()
        }
        count += await self._write(key, memory, new)
        for name in await self._redis.execute("SMEMBERS", keys.files_key(*session)):
            count += await self._file(*session, str(name))
        return count

    async def _file(self, tenant: str, session_id: str, name: str) -> int:
        """Keep a file under the name that it has by the present key: first there, then no longer under the old one."""
        key = keys.files_key(tenant, session_id, name)
        kept = await in_pieces(self._redis, key)
        numbers = [str(number) for number in range(int(kept.get("pieces", 0)))]
        pieces = [kept.get(number, "") for number in numbers]
        if self._objects is not None and (ref := kept.get("apart")):
            return await self._file_apart(self._objects, (tenant, session_id, name), kept, ref)
        if not any(pieces) or all(map(self._is_current, pieces)):
            return 0
        plain = text_of_pieces(self._sealing, session_id, pieces)
        new_name, sealed = self._name(name, plain), sealed_pieces(self._sealing, tenant, session_id, plain)
        place = keys.files_key(tenant, session_id, new_name)
        for number, piece in enumerate(sealed):
            await self._redis.execute("HSET", place, number, piece)
        other = {field: value for field, value in kept.items() if field not in numbers} | {"pieces": str(len(sealed))}
        await self._named((tenant, session_id, name), new_name, other)
        return 1

    async def _file_apart(self, objects: "ResealedObjects", file: tuple[str, str, str], kept: _Fields, ref: str) -> int:
        """Reseal a file that is an object, and keep it under the name that it has by the present key."""
        tenant, _, name = file
        was_other = await objects.reseal(ref, tenant)
        new_name = self._name(name, (await objects.get(ref)).decode())
        if new_name != name:
            await self._named(file, new_name, kept)
        return int(was_other or new_name != name)

    def _name(self, name: str, plain: str) -> str:
        names = [digest(plain.partition(",")[2]), digest(plain), f"source-{digest(plain)}"]
        known = next((each for each in names if name in self._sealing.names_of(each)), "")
        return self._sealing.keyed(known) if known else name

    async def _named(self, file: tuple[str, str, str], new_name: str, fields: _Fields) -> None:
        tenant, session_id, name = file
        key, place = keys.files_key(*file), keys.files_key(tenant, session_id, new_name)
        of_session = keys.files_key(tenant, session_id)
        [left_ms] = await self._redis.pipeline(["PTTL", key])
        expiry = [["PEXPIRE", place, left_ms]] if int(left_ms) > 0 else []
        gone = [["DEL", key], ["SREM", of_session, name]] if new_name != name else []
        flat = [text for pair in fields.items() for text in pair]
        by = [BY, self._sealing.first]
        await self._redis.pipeline(["HSET", place, *flat, *by], *expiry, ["SADD", of_session, new_name], *gone)

    async def others(self) -> int:
        """Reseal the audit log, and forget cached answers that are sealed otherwise; return how many that were."""
        return await self._audit_log() + await self._cached()

    async def _cached(self) -> int:
        """Forget cached answers that another key has sealed, or none. Of a cluster this reaches one server."""
        count, cursor, wanted = 0, "0", keys.model_cache_key("*", "*")
        while True:
            cursor, names = await self._redis.execute("SCAN", cursor, "MATCH", wanted, "COUNT", _NAMES)
            for name in map(str, names):
                [text] = await self._redis.read(("GET", name))
                if text and not self._is_current(str(text)):
                    count += int(await self._redis.execute("DEL", name))
            if str(cursor) == "0":
                return count

    async def _audit_log(self) -> int:
        """Write the log anew beside itself and put it in its place; what was added meanwhile is added to it then.

        Until it has all, the log of before is kept under another name, so a process that dies loses nothing.
        """
        before, new, total = f"{keys.AUDIT}:before", f"{keys.AUDIT}:new", 0
        while True:
            entries = {**await self._entries(before), **await self._entries(keys.AUDIT)}
            resealed = {name: self._audited(text) for name, text in entries.items()}
            count = sum(resealed[name] != text for name, text in entries.items())
            if not count and not await self._redis.execute("EXISTS", before):
                return total
            await self._redis.execute("DEL", new)
            for name in sorted(resealed, key=lambda name: [int(each) for each in name.split("-")]):
                await self._redis.execute("XADD", new, name, "entry", resealed[name])
            patch = Patch(0)
            patch.write("RENAME", keys.AUDIT, [before])
            patch.write("RENAME", new, [keys.AUDIT])
            # Ids from here on are above those of entries that came meanwhile.
            [seconds, _] = await self._redis.execute("TIME")
            patch.write("XSETID", keys.AUDIT, [f"{1000 * (int(seconds) + _AHEAD_SECONDS)}-0"])
            patch.read([["EXISTS", before]])  # a script names each key that it touches
            await self._redis.written(patch)
            total += count
            if (await self._entries(before)).keys() <= entries.keys():
                await self._redis.execute("DEL", before)
                return total

    async def _entries(self, key: str) -> dict[str, str]:
        found, after = dict[str, str](), "-"
        while rows := await self._redis.execute("XRANGE", key, after, "+", "COUNT", _NAMES):
            found |= {str(name): str(fields[1]) for name, fields in rows}
            after = f"({rows[-1][0]}"
        return found

    def _audited(self, text: str) -> str:
        entry = json.loads(text)
        detail = entry.get("detail")
        if not detail:
            return text
        sealed = detail if isinstance(detail, str) else json.dumps(detail)
        if self._is_current(sealed):
            return text
        anew = self._anew(sealed, entry.get("tenant", ""), "text", AUDIT_PLACE)
        return json.dumps(entry | {"detail": anew if self._sealing.first else json.loads(anew)})
