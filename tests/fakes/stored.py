"""The adapters of production over a Redis in this process; and what tests look up there, take away, or put there.

Invariant: adapters and scripts decide what is written. What a test puts there has the form in which they write it.
"""

import re
from collections.abc import Callable, ItemsView, Iterator, Mapping, MutableMapping, Sequence, ValuesView
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from msgspec.json import encode
from msgspec.structs import asdict, replace

from baton.engine.all_jobs.slots import QueueEntry
from baton.engine.commit.codec import dump, load_call
from baton.engine.commit.draft import Draft
from baton.engine.commit.layout import written
from baton.engine.commit.patch import STAMP, Stamps, compared
from baton.engine.commit.tree import Tree
from baton.engine.state import Job
from baton.engine.stream_parts import start
from baton.settings.settings import Settings
from baton.store.records.access import AuditEntry
from baton.store.records.jobs import Snapshot, StoredParts
from baton.store.redis import connection, keys
from baton.store.redis.access import ApiKeyStore, AuditLog
from baton.store.redis.admission import Admission
from baton.store.redis.agent_memory import RedisModelCache, RedisSessionMemory
from baton.store.redis.in_process.data import Version
from baton.store.redis.in_process.server import InProcessConnection, InProcessRedis
from baton.store.redis.in_process.streams import Stream
from baton.store.redis.reader import Reader
from baton.store.redis.semaphore import entry_from, member_field, member_of
from baton.store.redis.store import Store
from baton.store.redis.texts import TreeTexts
from baton.store.redis.tree.details import entries_in, results_in
from baton.store.redis.tree.reading import read_again
from baton.store.redis.tree.snapshot import TreeSnapshot
from baton_events.errors import BatonError
from baton_events.ids import root_of
from baton_events.sealing import sealing_of
from tests.fakes.clock import FakeClock

_V = TypeVar("_V")
RETENTION_MS = Settings().job_retention_seconds * 1000
NOTHING = Version({}, {})
_ROW = re.compile(r":\d{13}:")
# How the keys begin that a failover loses together: of all jobs; of the admission with the lists of jobs.
TREES, ADMISSION = ("baton:{job_",), ("baton:{admission}", keys.list_key(""))
# Keeps a member's record, and what finds it, as the script does.
_PUT = """
for i, counter in ipairs({'holders', 'untaken', 'asking', 'lines'}) do
  values[counter] = tonumber(call('HGET', HASH, counter) or 0)
end
member(ARGV[1])
values['member:' .. ARGV[1]] = ARGV[2] ~= '' and cjson.decode(ARGV[2])
put(ARGV[1])
for field in pairs(changed) do
  if values[field] then
    call('HSET', HASH, field, cjson.encode(values[field]))
  else
    call('HDEL', HASH, field)
  end
end
"""


_MEMBER = member_field("")
# Most of them are the same from one look to the next.
_entry = lru_cache(maxsize=4096)(entry_from)


def entries_of(semaphore: Mapping[str, str]) -> dict[str, QueueEntry]:
    return {field.removeprefix(_MEMBER): _entry(text) for field, text in semaphore.items() if field.startswith(_MEMBER)}


def whole_stream(job_id: str, stored: tuple[str, ...], state: Mapping[str, str]) -> tuple[str, ...]:
    """A job's parts, with the first one, which is counted in the state of its tree and made by readers."""
    return (start(job_id), *stored) if int(state.get(keys.part_count(job_id), 0)) == len(stored) + 1 else stored


class Records(MutableMapping[str, _V]):
    """Records of one kind by name, as they are now. What is assigned is written; what is deleted is gone."""

    def __init__(self, read: Callable[[], Mapping[str, _V]], write: Callable[[str, _V | None], None]) -> None:
        self._read, self._write = read, write

    def __getitem__(self, name: str) -> _V:
        return self._read()[name]

    def __setitem__(self, name: str, record: _V) -> None:
        self._write(name, record)

    def __delitem__(self, name: str) -> None:
        self._write(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def items(self) -> ItemsView[str, _V]:
        return self._read().items()

    def values(self) -> ValuesView[_V]:
        return self._read().values()

    def __repr__(self) -> str:
        return repr(self._read())

    def clear(self) -> None:
        for name in self._read():
            self._write(name, None)


class FakeRedis(InProcessRedis):
    """The server, whose time is that of `clock`. `trees`: by root; `entries`: the slot table, by job.

    `requests`: how many have come.
    """

    requests = 0

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock, self._stamps = clock or FakeClock(), Stamps(lambda: "a-test")
        super().__init__(lambda: self.clock.ms)
        self.trees = Records[Tree](lambda: {root: self.tree(root) for root in self._roots()}, self._put_tree)
        self.entries = Records[QueueEntry](self._entries, self._put_entry)

    def hash(self, key: str) -> dict[str, str]:
        return self.data.get(key, dict, {})

    def tree(self, job_id: str) -> Tree:
        """All that is stored of a job, and of those above and below it."""
        self.data.expire()
        root = root_of(job_id)
        state, stone = self.hash(keys.state_key(root)), self.data.values.get(keys.tombstone_key(root))
        mine = TreeTexts(sealing_of(self.payload_keys, ""), root)
        tree = read_again(TreeSnapshot(), [state], (), (), mine, stone).tree
        kept: dict[str, dict[str, Any]] = {"calls": {}, "results": {}, "transcript": {}, "parts": {}}
        for name in tree.jobs:
            texts = self.hash(keys.calls_key(name))
            calls = {field: load_call(text, mine) for field, text in texts.items() if keys.is_call(field)}
            results = {field: mine.opened(text) for field, text in results_in(texts).items()}
            kept["calls"][name], kept["results"][name] = calls, results
            kept["transcript"][name] = tuple(map(mine.opened, entries_in(texts)))
            stream = self.data.values.get(keys.parts_key(name), Stream())
            stored = tuple(mine.opened(part) for entry in stream.entries for part in entry.flat[1::2])
            kept["parts"][name] = whole_stream(name, stored, state)
        return replace(tree, **kept, expires_ms=self.data.expiring.get(keys.state_key(root), 0))

    @property
    def sums(self) -> dict[str, int]:
        return {name: int(text) for name, text in self.hash(keys.COUNTERS).items()}

    def forget(self, *prefixes: str) -> None:
        """Lose all keys that begin so, as a failover does."""
        for prefix in prefixes:
            self.data.go_back(NOTHING, prefix)

    def failover(self, *prefixes: str) -> Callable[[], None]:
        """What loses all that is written from now on of keys that begin so."""
        before = {prefix: self.data.version(prefix) for prefix in prefixes}

        def lose() -> None:
            for prefix, version in before.items():
                self.data.go_back(version, prefix)

        return lose

    def rows(self) -> set[str]:
        """The rows of all lists of jobs, without what says where there are such."""
        lists = (value for key, value in self.data.values.items() if key.startswith(keys.list_key("")))
        return {member for rows in lists for member in rows.scores if _ROW.search(member)}

    def _roots(self) -> list[str]:
        self.data.expire()
        return [key[7:-7] for key in self.data.values if key.startswith("baton:{") and key.endswith("}:state")]

    def _put_tree(self, root: str, tree: Tree | None) -> None:
        before = self.tree(root)
        if tree is None or not tree.jobs:
            self.forget(keys.state_key(root).removesuffix("state"))
            return
        key = keys.state_key(root)
        mine = TreeTexts(sealing_of(self.payload_keys, ""), root, tree.jobs.values())
        fields, gone = written(before, _draft_of(tree, before), mine)
        fields[STAMP] = compared(self._stamps.next())
        self._hash(key, {**{name: text for name, text in self.hash(key).items() if name not in gone}, **fields})
        for name in tree.jobs:
            calls = {call.id: dump(call, mine) for call in tree.calls.get(name, {}).values()}
            results = {keys.RESULT + field: mine.seal(text) for field, text in tree.results.get(name, {}).items()}
            told = enumerate(map(mine.seal, tree.transcript.get(name, ())))
            entries = {f"{keys.ENTRY}{number}": text for number, text in told}
            self._hash(keys.calls_key(name), calls | results | entries)
            if tree.parts.get(name, ()) != before.parts.get(name, ()):
                self._put_parts(name, tree, mine)

    def _put_parts(self, name: str, tree: Tree, texts: TreeTexts) -> None:
        parts, start = tree.parts[name], f"{tree.jobs[name].created_at_ms}-"
        self.run("DEL", keys.parts_key(name))
        for number, part in enumerate(parts, 1):
            self.run("XADD", keys.parts_key(name), f"{start}{number}", "p", texts.seal(part))
        self.run("HSET", keys.state_key(name), keys.part_count(name), len(parts))

    def _hash(self, key: str, fields: dict[str, str]) -> None:
        self.data.put(key, fields)

    def _entries(self) -> dict[str, QueueEntry]:
        return entries_of(self.hash(keys.SLOTS))

    def _put_entry(self, job_id: str, entry: QueueEntry | None) -> None:
        text = encode(_record(job_id, entry)).decode() if entry else ""
        members = Path(connection.__file__).with_name("lua").joinpath("members.lua").read_text(encoding="utf-8")
        named = [keys.SLOTS, keys.SLOT_ORDER]
        self.run("EVAL", members + _PUT, len(named), *named, job_id, text)


def _draft_of(tree: Tree, before: Tree) -> Draft:
    draft = Draft.of(tree)
    draft.fields = {**dict.fromkeys(_fields_of(before)), **_fields_of(tree)}
    draft.touched = dict.fromkeys([*before.items, *tree.items])
    return draft


def _fields_of(tree: Tree) -> dict[str, Any]:
    """The fields of the state but for work items, with their records."""
    by_prefix: dict[str, Mapping[str, Any]] = {
        "job": tree.jobs,
        "slot_state": tree.slot_states,
        "usage": tree.usage,
        "child_usage": tree.child_usage,
    }
    fields: dict[str, Any] = {f"{kind}:{name}": each for kind, by in by_prefix.items() for name, each in by.items()}
    fields |= {f"needed_until:{name}": str(until_ms) for name, until_ms in tree.needed_until.items()}
    fields |= {f"ended:{name}": at for name, at in tree.ended.items()}
    for kind, signals in (("event", tree.events), ("message", tree.messages)):
        fields |= {f"{kind}:{name}:{at}": text for name, kept in signals.items() for at, text in kept.items()}
    return fields


def _record(job_id: str, entry: QueueEntry) -> dict[str, Any]:
    """What the script keeps of a job."""
    said = asdict(member_of(job_id, entry))
    return said | {"seen": entry.since_ms, "held": entry.slot, "ran": entry.started, "by": entry.granted_by}


class FakeConnection(InProcessConnection):
    """A connection to `redis`. `down`: raised instead of an answer; `sent`: the commands that it was asked for."""

    def __init__(self, redis: FakeRedis | None = None) -> None:
        self.redis = redis or FakeRedis()
        super().__init__(self.redis)
        self.down: BatonError | None = None
        self.sent: list[str] = []

    async def _send(self, commands: Sequence[Sequence[str | int]], *, beside_scripts: bool = False) -> list[Any]:
        self.sent += [str(command[0]) for command in commands]
        self.redis.requests += 1
        if self.down:
            raise self.down
        return await super()._send(commands, beside_scripts=beside_scripts)


class FakeStore(Store):
    """The store of one process."""

    def __init__(self, redis: FakeRedis | None = None, retention_ms: int = RETENTION_MS) -> None:
        self.redis = redis or FakeRedis()
        super().__init__(FakeConnection(self.redis), retention_ms)

    @property
    def trees(self) -> MutableMapping[str, Tree]:
        return self.redis.trees

    def tree(self, job_id: str) -> Tree:
        return self.redis.tree(job_id)

    def write(self, job_id: str, tree: Tree) -> None:
        self.redis.trees[root_of(job_id)] = tree


class FakeAdmission(Admission):
    """The admission of one process. `entries`: the slot table."""

    def __init__(self, redis: FakeRedis, slots: int = 3, sweep_interval_ms: int = 60_000, of_tenant: int = 0) -> None:
        self.redis = redis
        super().__init__(FakeConnection(redis), slots, sweep_interval_ms, of_tenant)

    @property
    def entries(self) -> MutableMapping[str, QueueEntry]:
        return self.redis.entries


class FakeReader(Reader):
    """A reader whose `connection` may be down. `late`: a method of it whose next read does not show the job yet."""

    def __init__(self, redis: FakeRedis, of_tenant: int = 0) -> None:
        self.connection, self.late = FakeConnection(redis), ""
        super().__init__(self.connection, jobs_per_tenant=of_tenant)

    async def job(self, job_id: str, **how: bool) -> Snapshot | None:
        return None if self._is_late("job") else await super().job(job_id, **how)

    async def parts(self, job_id: str, after: int, known: Job | None = None) -> StoredParts:
        return StoredParts(None) if self._is_late("parts") else await super().parts(job_id, after, known)

    async def transcript(self, job_id: str) -> tuple[dict[str, Any], ...]:
        return () if self._is_late("transcript") else await super().transcript(job_id)

    def _is_late(self, method: str) -> bool:
        is_late, self.late = self.late == method, "" if self.late == method else self.late
        return is_late


class FakeSessionMemory(RedisSessionMemory):
    """The memory of sessions, whose `connection` may be down."""

    def __init__(self, redis: FakeRedis | None = None) -> None:
        self.connection = FakeConnection(redis)
        super().__init__(self.connection, RETENTION_MS)


class FakeApiKeyStore(ApiKeyStore):
    """API keys, whose `connection` may be down."""

    def __init__(self, redis: FakeRedis) -> None:
        self.connection = FakeConnection(redis)
        super().__init__(self.connection)


class FakeAuditLog(AuditLog):
    """What operators did; its `connection` may be down."""

    def __init__(self, redis: FakeRedis) -> None:
        self.connection = FakeConnection(redis)
        super().__init__(self.connection, 1_000)

    async def entries(self) -> list[AuditEntry]:
        """The newest ones, the oldest of them first."""
        return [entry for _, entry in reversed(await self.page("", 9))]


class FakeModelCache(RedisModelCache):
    """Answers of models, whose `connection` may be down."""

    def __init__(self, redis: FakeRedis | None = None) -> None:
        self.connection = FakeConnection(redis)
        super().__init__(self.connection)
