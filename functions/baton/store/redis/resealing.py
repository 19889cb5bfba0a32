"""Rewrites what other keys have sealed, so that an old one can be taken away: ended jobs, their sessions and events.

Invariant: a piece is written where it is still as it was read, and says the same before and after. A job that has not
ended is left: what it writes from now on is sealed by the new key, the rest once it has ended. Plain texts are sealed,
too; where no key seals, all become plain. Cached answers and details of the audit log expire as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from secrets import token_urlsafe
from typing import Any

from msgspec import Struct, field

from baton.engine.all_jobs.job_list import Found
from baton.engine.commit.codec import dump, load_call, load_item, load_job, load_score, require_readable
from baton.engine.commit.patch import STAMP, Patch, Stamps, replacing
from baton.engine.commit.usage_ledger import ends_event
from baton.engine.state import Job
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from baton.store.redis.reader import in_pieces, pieces
from baton.store.redis.texts import TreeTexts
from baton.store.redis.tree.details import as_dict
from baton_events.errors import StoreError, UnreadablePayloadError
from baton_events.ids import digest, is_child
from baton_events.sealing import SEALED, Kind, PayloadContext

_PIECE_BYTES = 1_000_000
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

    def __init__(self, connection: RedisConnection) -> None:
        self._redis, self._sealing = connection, connection.sealing
        self._stamps, self._sessions = Stamps(token_urlsafe(8)), set[tuple[str, str]]()

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
        return count + await self._write(keys.state_key(root_id), state, new)

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
        """Return a part sealed anew: one that ends an event has sealed texts in it."""
        if not ends_event(part):
            return self._text(part, texts)
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
                fields[STAMP] = stamp = replacing(self._stamps.next())
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
        text = "".join(kept.get(number, "") for number in numbers)
        if not text or self._is_current(text):
            return 0
        plain = self._sealing.open(text, "file", session_id)
        names = [digest(plain.partition(",")[2]), digest(plain), f"source-{digest(plain)}"]
        known = next((each for each in names if name in self._sealing.names_of(each)), "")
        new_name = self._sealing.keyed(known) if known else name
        sealed = self._sealing.seal(plain, PayloadContext(tenant, "file", session_id))
        place, of_session = keys.files_key(tenant, session_id, new_name), keys.files_key(tenant, session_id)
        [left_ms] = await self._redis.pipeline(["PTTL", key])
        cut = range(0, len(sealed), _PIECE_BYTES)
        for number, first in enumerate(cut):
            await self._redis.execute("HSET", place, number, sealed[first : first + _PIECE_BYTES])
        other = {field: value for field, value in kept.items() if field not in numbers} | {"pieces": str(len(cut))}
        expiry = [["PEXPIRE", place, left_ms]] if int(left_ms) > 0 else []
        gone = [["DEL", key], ["SREM", of_session, name]] if new_name != name else []
        flat = [text for pair in other.items() for text in pair]
        await self._redis.pipeline(["HSET", place, *flat], *expiry, ["SADD", of_session, new_name], *gone)
        return 1
