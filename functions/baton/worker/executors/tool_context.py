"""The reach of a running tool call by its context: its job's stream, its session's memory, its tenant's operations.

It also sends out app events, and jobs that it does not wait for. Invariant: a call writes to the stream as long as its
claim holds the work item. It reaches the memory of its own tenant and session; an operation of another tenant is as
unknown as one that never was. The id of an event or job that it sends follows from the call, the name and the key (the
agent, for a job), and how many the attempt has sent before. So another attempt, or a replay, has no second effect.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from baton.engine.commit.answers import Claim
from baton.engine.commit.stored_bytes import bytes_of
from baton.engine.state import CallRecord, Job
from baton.engine.transitions import CallStatus
from baton.engine.waits import APPROVALS, info_part
from baton.sdk.agents.registry import Registry, UnknownAgentError
from baton.sdk.clock import Clock
from baton.sdk.memory.keeper import NO_INDEX, MemoryKeeper
from baton.sdk.memory.policy import Memory
from baton.sdk.records.memory import MemoryEntry
from baton.sdk.records.redaction import KnownSecrets, redacted
from baton.sdk.tools.context import NoOperations
from baton.sdk.tools.tool_error import ToolError
from baton.settings.limits import SESSION_LIMIT_CHARS
from baton.store.records.app_events import SENT_BY
from baton.store.records.jobs import Snapshot
from baton.store.redis.agent_memory import Chats
from baton.store.redis.app_events import AppEvents
from baton.store.redis.listing import Listing
from baton.store.redis.reader import Reader
from baton.store.redis.store import Store
from baton.store.transport.meter import write
from baton.worker.commands.commands import Commands
from baton.worker.commands.once import OnceFor, event_of, holder_of
from baton.worker.commands.signal import operations_of
from baton.worker.executors.executor import bounded_plain
from baton.worker.executors.memory_entries import note_of
from baton.worker.executors.started_jobs import BackgroundCalls
from baton.worker.runtime.new_jobs import debounced_number, job_of
from baton_events.app_event import app_event, delay_ms
from baton_events.emitter import Emitter
from baton_events.errors import JobGoneError, MemoryUnavailableError, NewerVersionError, PayloadGoneError, StoreError
from baton_events.ids import awaited_name, call_of_operation, canonical_json, event_id, job_of_call, started_job_id
from baton_events.timestamps import milliseconds, rfc3339
from baton_events.values.json_value import Unrecordable, plain
from baton_events.values.text import cut, storable, text_of

if TYPE_CHECKING:
    from baton.worker.payloads import Payloads


class CallMemory:
    """`ToolMemory` of one tool call; its notes have the call's id, so a repeated attempt stores once."""

    def __init__(
        self, keeper: MemoryKeeper, job: Job, call_id: str, policy: Memory, hide: Callable[[str], str] = str
    ) -> None:
        self._keeper, self._job, self._call_id, self._policy = keeper, job, call_id, policy
        self._hide = hide  # hides secrets in a text

    async def remember(self, text: str) -> dict[str, Any]:
        """Store a note. Raises ToolError: the vector index does not answer. StoreError: the store does not."""
        try:
            kept = await self._keeper.store(
                self._job.tenant, note_of(self._job, self._call_id, self._hide(text_of(text)))
            )
        except MemoryUnavailableError as error:
            raise _unavailable(error) from error
        if not kept:
            return {"remembered": False, "note": "this conversation was forgotten on request after the job began"}
        if not self._keeper.has_index:
            return {"remembered": True, "note": f"in this conversation only, as {NO_INDEX}"}
        return {"remembered": True}

    async def recall(self, query: str, limit: int) -> dict[str, Any]:
        """Return entries near the query, within the agent's memory; without an index, the session's newest ones.

        Raises ToolError: the vector index does not answer. StoreError: the store does not.
        """
        if not self._keeper.has_index:
            recent = (await self._keeper.recent(self._job.tenant, self._job.session_id))[-limit:]
            note = f"this conversation's newest entries, since {NO_INDEX}"
            return {"entries": [_view(entry) for entry in reversed(recent)], "note": note}
        try:
            hits = await self._keeper.search(self._policy, self._job.tenant, self._job.session_id, query, limit)
        except MemoryUnavailableError as error:
            raise _unavailable(error) from error
        return {"entries": [{**_view(hit.entry), "score": hit.score} for hit in hits]}


def _view(entry: MemoryEntry) -> dict[str, Any]:
    return {"text": entry.text, "kind": entry.kind, "agent": entry.agent, "createdAt": rfc3339(entry.created_ms)}


def _unavailable(error: MemoryUnavailableError) -> ToolError:
    return ToolError(str(error), retryable=True, type="memory_unavailable")


_log = logging.getLogger("baton.tools")


class StoreChannel:
    """`ToolChannel` of one attempt of a tool call."""

    def __init__(self, store: Store, clock: Clock, claim: Claim, call_id: str, secrets: KnownSecrets) -> None:
        self._store, self._clock, self._claim, self._call_id = store, clock, claim, call_id
        self._secrets = secrets
        self._appended = 0

    async def info(self, title: str, data: Any) -> None:
        """Record an info checkpoint.

        Raises StoreError: it is not recorded; unless the tool catches this, the delivery fails and the tool runs again.
        """
        claim, number = self._claim, f"{self._claim.item_key.rpartition(':')[2]}-{self._appended + 1}"
        shown = self._shown({"title": title, "data": data}, "info")
        part = info_part(claim.job_id, self._call_id, number, **shown, at_ms=self._clock.now_ms())
        await self._append(part)

    async def progress(self, fraction: float, text: str) -> None:
        """Record how far the tool has come; a report that the store does not take does not make it run again."""
        try:
            data = {"callId": self._call_id, **self._shown({"fraction": fraction, "text": text_of(text)}, "progress")}
            await self._append(canonical_json({"type": "data-progress", "data": data}))
        except (NewerVersionError, StoreError) as error:
            _log.warning("a progress report of %s is lost: %s", self._call_id, error)

    async def cancelled(self) -> bool:
        """Return whether the work item is no longer held: the job has ended, or another process took over."""
        return not await self._store.append(self._claim, 0, ())

    def _shown(self, data: dict[str, Any], at: str) -> dict[str, Any]:
        shown: dict[str, Any] = self._secrets.hide_in(redacted(bounded_plain(data, at)))
        return shown

    async def _append(self, part: str) -> None:
        self._appended += 1
        if await self._store.append(self._claim, self._appended, [part]):
            write(bytes_of([part]))


_OVER = (CallStatus.COMPLETED, CallStatus.FAILED, CallStatus.CANCELLED)


class TenantOperations:
    """`ToolOperations` of one tenant."""

    def __init__(self, reader: Reader, tenant: str) -> None:
        self._reader, self._tenant = reader, tenant

    async def status(self, operation_id: str, job_id: str = "") -> dict[str, Any]:
        call_id = call_of_operation(operation_id)
        found = await self._found(job_of_call(call_id), call_id) if call_id else None
        found = found or (await self._found(job_id) if job_id else None)
        if found is None:
            return await NoOperations().status(operation_id)
        snapshot, call = found
        # An outcome is recorded before it is taken in; a job that ended leaves its calls as they were.
        outcome = snapshot.results.get(call.id, {})
        done = bool(outcome) or call.status in _OVER or snapshot.job.ended
        status: dict[str, Any] = {
            "operationId": operation_id if call.id == call_id else call.operation_id,
            "status": str(call.status),
            "done": done,
            "tool": call.tool,
        }
        if "ok" in outcome:
            status["result"] = outcome["ok"]
        elif "error" in outcome:
            status["error"] = outcome["error"]
        return status

    async def _found(self, job_id: str, call_id: str = "") -> tuple[Snapshot, CallRecord] | None:
        snapshot = await self._reader.job(job_id)
        if snapshot is None or snapshot.job.tenant != self._tenant:
            return None
        calls = snapshot.calls if call_id else operations_of(snapshot)
        known = [call for call in calls if call.tool not in APPROVALS and call_id in ("", call.id)]
        return (snapshot, known[-1]) if known else None


_T = TypeVar("_T")


class Outside(Struct, frozen=True):
    """The ports that calls reach beyond their job."""

    reader: Reader
    app_events: AppEvents
    commands: Commands
    emitter: Emitter
    clock: Clock
    background: BackgroundCalls
    chats: Chats
    files_limit_bytes: int
    listing: Listing
    payloads: "Payloads | None" = None


async def _next(pieces: AsyncIterator[bytes]) -> bytes:
    return await anext(pieces, b"")


class CallOutlet:
    """`Outlet` of one attempt of a call."""

    def __init__(self, outside: Outside, registry: Registry, job: Job, call_id: str, secrets: KnownSecrets) -> None:
        self._outside, self._registry = outside, registry
        self._job, self._call_id, self._secrets = job, call_id, secrets
        self._sent: dict[tuple[str, ...], int] = {}
        self._loop = asyncio.get_running_loop()

    async def keep_file(self, data: bytes, media_type: str, filename: str) -> dict[str, Any]:
        """Keep a file with the job's session.

        Raises:
            ValueError: it is no file. ToolError: it is too large. StorageFullError: the tenant has no room. StoreError.
        """
        # Few calls have files.
        from baton.sdk.records.result_files import named_file  # noqa: PLC0415
        from baton.worker.commands.kept_files import KeptFiles  # noqa: PLC0415

        most_bytes = self._outside.files_limit_bytes
        if isinstance(data, bytes | bytearray | memoryview) and len(data) > most_bytes:
            raise ToolError(f"the file has {len(data)} bytes, over the limit of {most_bytes}", type="file_too_large")
        named, content = named_file(data, media_type, filename)
        texts, outside = {named["name"]: f"{named['mediaType']},{content}"}, self._outside
        files = KeptFiles(outside.chats, outside.commands.quota, self._job, texts)
        await self._here(files.store(outside.clock.now_ms(), checks=True))
        return named

    async def open_result(self, ref: str) -> AsyncIterator[bytes]:
        """Yield the JSON of a large result of the job's own tree, or of its session, in pieces.

        Raises ToolError: there is none.
        """
        payloads = self._outside.payloads
        around = (self._outside.listing, self._outside.reader)
        is_text = isinstance(ref, str)
        if payloads is None or not is_text or not await self._here(payloads.is_of(self._job, ref, *around)):
            raise ToolError(
                f"{cut(text_of(ref), 100)!r} is no ref of a large result of this job or session", type="unknown_ref"
            )
        pieces = payloads.chunks(ref)
        try:
            while piece := await self._here(_next(pieces)):
                yield piece
        except PayloadGoneError as error:
            raise ToolError(str(error), type="payload_gone") from error

    async def emit(self, name: str, data: Any, key: str, delay_seconds: float, once: tuple[str, float] | None) -> str:
        """Publish an app event of the job's tenant; ValueError: `once` has no such key or time."""
        name, key = (storable(each) if isinstance(each, str) else each for each in (name, key))
        return await self._here(self._emit(name, data, key, delay_seconds, OnceFor(*once) if once else None))

    async def start(
        self, agent: str, task: str, input_data: dict[str, Any], session_id: str, once: tuple[str, float] | None
    ) -> str:
        """Start a job of the job's tenant.

        Raises ToolError: there is no such agent, or its data is no JSON. ValueError: `once` has no such key or time.
        """
        return await self._here(self._start(agent, task, input_data, session_id, OnceFor(*once) if once else None))

    async def is_newest(self, handler: str, event: dict[str, Any]) -> bool:
        """Return whether no newer event of this one's key has come to the handler since shortly before this one.

        The job starts as much later than its event came as the handler waits for others.
        """
        created_ms, job = milliseconds(datetime.fromisoformat(event["createdAt"])), self._job
        name, since_ms = awaited_name(job.tenant, handler, event["key"]), 2 * job.created_at_ms - job.start_at_ms
        number = debounced_number(job, event["id"], created_ms)
        return number >= await self._outside.app_events.newest_since(name, since_ms)

    async def _here(self, work: Coroutine[Any, Any, _T]) -> _T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _emit(self, name: str, data: Any, key: str, delay_seconds: float, once: OnceFor | None) -> str:
        clock, delayed_ms, outside = self._outside.clock, delay_ms(delay_seconds), self._outside
        named = event_id(f"emit:{self._call_id}:{name}:{key}:{self._nth('emit', name, key)}")
        if once is not None:
            handlers = [handler.name for handler in self._registry.handlers.of(name)]
            about, now_ms = (self._job.tenant, name), clock.now_ms()
            named = await event_of(outside.app_events, outside.commands.submit, about, handlers, once, now_ms)
        shown = self._secrets.hide_in(plain(data, "data"))
        of_whom = {"tenant": self._job.tenant, "subject": self._job.subject}
        event = app_event(name, shown, key, event_id=named, now_ms=clock.now_ms(), **of_whom)
        not_before_ms = clock.now_ms() + delayed_ms if delayed_ms else 0
        await self._outside.emitter.send(event, not_before_ms=not_before_ms, deduplication_id=named)
        return await self._noted(named, name)

    async def _start(
        self, agent: str, task: str, input_data: dict[str, Any], session_id: str, once: OnceFor | None
    ) -> str:
        if len(session_id) > SESSION_LIMIT_CHARS:
            raise ToolError(f"a session has {SESSION_LIMIT_CHARS} characters at most, not {len(session_id)}")
        job_id = started_job_id(self._call_id, agent, self._nth("start", agent))
        try:
            job = job_of(
                self._registry,
                agent,
                job_id=job_id,
                session_id=session_id or f"session_{job_id.removeprefix('job_')}",
                tenant=self._job.tenant,
                now_ms=self._outside.clock.now_ms(),
            )
            entry: dict[str, Any] = {"text": text_of(task), "data": plain(input_data, "data")}
        except UnknownAgentError as error:
            raise ToolError(str(error), type="unknown_agent", retryable=True) from error
        except Unrecordable as error:
            message = f"the task for agent {agent!r} cannot be recorded: {error}"
            raise ToolError(message, type="invalid_task") from error
        job = replace(job, subject=self._job.subject)
        entry |= {"chat": {}} if session_id else {}
        if once is not None:
            outside = self._outside
            job, there = await holder_of(outside.app_events, outside.commands.submit, job, once, outside.clock.now_ms())
            if there:
                return await self._noted(job.id, agent)
        with contextlib.suppress(JobGoneError):  # an earlier attempt has started it, and it is over
            await self._outside.commands.submit(job, self._secrets.hide_in(entry), may_exist=True)
        return await self._noted(job.id, agent)

    async def _noted(self, sent: str, name: str) -> str:
        """Note what a handler has started or sent, at both, for the console; return it. No id of a key is derived."""
        if self._job.handles[1]:
            note = self._outside.app_events.note
            await asyncio.gather(note(self._job.id, sent, name), note(sent, SENT_BY, self._job.id))
        return sent

    def _nth(self, *what: str) -> int:
        self._sent[what] = number = self._sent.get(what, 0) + 1
        return number
