"""A running tool's context: its call, and what it may do while it runs: write to the stream, use memory.

Invariant: attributes are plain values fixed before the tool starts. All output of the tool goes through the channel,
the memory and the operations given to it, which belong to its job's tenant. A repeated attempt of a call stores once.
Must not: know a store, an index, a queue or a stream.
"""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from baton.sdk.tools.pending import ChildTask, Pending
from baton.sdk.tools.tool_error import ToolError
from baton_events.values.durations import Duration, plain_seconds

if TYPE_CHECKING:
    from baton.sdk.tools.recorded import ToolRecorder


class ToolMemory(Protocol):
    """The memory of a running job's tenant and session."""

    async def remember(self, text: str) -> dict[str, Any]:
        """Store a note, once for the call: `{"remembered": bool}`, and a `note` if there is a remark."""
        ...

    async def recall(self, query: str, limit: int) -> dict[str, Any]:
        """Find entries near the query: `{"entries": […]}`, and a `note` if there is a remark."""
        ...


class NoMemory:
    """`ToolMemory` of a context that was given none."""

    async def remember(self, text: str) -> dict[str, Any]:
        raise ToolError(f"there is no memory here to keep {text[:40]!r} in", type="no_memory")

    async def recall(self, query: str, limit: int) -> dict[str, Any]:  # noqa: ARG002 - signature of the protocol
        raise ToolError(f"there is no memory here to look for {query[:40]!r} in", type="no_memory")


class ToolOperations(Protocol):
    """The operations of a running job's tenant."""

    async def status(self, operation_id: str, job_id: str = "") -> dict[str, Any]:
        """Return its state: `{"operationId", "status", "done"}`, then `tool`, and once it is done `result` or `error`.

        `job_id`: the job whose last operation is taken if none has that id.
        """
        ...


class NoOperations:
    """`ToolOperations` of a context that was given none."""

    async def status(self, operation_id: str, job_id: str = "") -> dict[str, Any]:  # noqa: ARG002 - the protocol's
        """Return the status `unknown`: there are no operations here."""
        return {"operationId": operation_id, "status": "unknown", "done": False}


class Outlet(Protocol):
    """The ways by which a running call sends data out, with the same result in every attempt."""

    async def keep_file(self, data: bytes, media_type: str, filename: str) -> dict[str, Any]:
        """Store a file with the session; return its name for a result."""
        ...

    async def emit(self, name: str, data: Any, key: str, delay_seconds: float, once: tuple[str, float] | None) -> str:
        """Publish an app event; return its id. `once`: a key, and for how long it counts."""
        ...

    async def start(
        self, agent: str, task: str, input_data: dict[str, Any], session_id: str, once: tuple[str, float] | None
    ) -> str:
        """Start a job that the call does not wait for; return its id. `once`: as for an event."""
        ...

    async def is_newest(self, handler: str, event: dict[str, Any]) -> bool:
        """Return whether no newer event of this one's key has come to the handler."""
        ...

    def open_result(self, ref: str) -> AsyncIterator[bytes]:
        """Yield the JSON of a large result in pieces."""
        ...


def _recorded_outlet() -> Outlet:
    from baton.sdk.tools.recorded import RecordedOutlet  # noqa: PLC0415 - only unit tests of tools need it

    return RecordedOutlet()


_ROUNDING = 1e-6  # sums of floats may end a hair above 1; that is no mistake of the author


class ToolChannel(Protocol):
    """The destination of a running tool's reports."""

    async def info(self, title: str, data: Any) -> None:
        """Record an info checkpoint."""
        ...

    async def progress(self, fraction: float, text: str) -> None:
        """Record the tool's progress."""
        ...

    async def cancelled(self) -> bool:
        """Return whether the job was cancelled in the meantime."""
        ...


@dataclass(frozen=True, kw_only=True)
class ToolContext:
    """The call that a tool runs for. A tool gets it by a parameter annotated `ToolContext`.

    The methods are coroutines, so a tool that uses them is an async function.

    Attributes:
        job_id: the job; a job that another one started has an id of its own.
        session_id: the conversation that the job belongs to.
        call_id: the call, the same for all its attempts.
        operation_id: the id by which the call is finished from outside, if the tool returns `Pending`.
        attempt: counts 1, 2, …
        idempotency_key: the same for every attempt of one call, also after a crash.
        started_at_ms: when this attempt began, in milliseconds since 1970.
        memo: the state of a call that runs again (`RunAgain`), with a person's answer if it asked for one.
    """

    job_id: str
    session_id: str
    call_id: str
    operation_id: str
    attempt: int
    idempotency_key: str
    started_at_ms: int
    channel: ToolChannel = field(repr=False)
    memo: dict[str, Any] | None = field(default=None, repr=False)
    memory: ToolMemory = field(default_factory=NoMemory, repr=False)
    operations: ToolOperations = field(default_factory=NoOperations, repr=False)
    outlet: Outlet = field(default_factory=_recorded_outlet, repr=False)

    async def info(self, title: str, data: Any = None) -> None:
        """Record an info checkpoint: shown with the job, blocks nothing. `data` is any JSON value."""
        if not isinstance(title, str) or not title.strip():
            raise ValueError(f"an info checkpoint needs a title, got {title!r}; name in a few words what was reached")
        await self.channel.info(title, data)

    async def progress(self, fraction: float, text: str = "") -> None:
        """Report the tool's progress, from 0 to 1."""
        if not isinstance(fraction, int | float) or not -_ROUNDING <= fraction <= 1 + _ROUNDING:
            raise ValueError(f"progress is a fraction from 0 to 1, got {fraction!r}; write 0.5 for 50 %")
        await self.channel.progress(min(max(float(fraction), 0.0), 1.0), text)

    async def cancelled(self) -> bool:
        """Return whether the job was cancelled in the meantime; a long tool checks now and then and returns early."""
        return await self.channel.cancelled()

    async def keep_file(self, data: bytes, media_type: str, filename: str = "") -> dict[str, Any]:
        """Store a picture, a sound or a document with the session: `return await ctx.keep_file(png, "image/png")`.

        Returns its name: a tool's result, or an item of the list or object that the tool returns. A model that takes
        such files is sent the file.

        Raises:
            ValueError: it is empty, or not of that media type. ToolError: it has more than 10 MB.
        """
        return await self.outlet.keep_file(data, media_type, filename)

    async def read_result(self, ref: str) -> Any:
        """Return the value of a large result, whose `ref` the model was given.

        Raises:
            ToolError: `unknown_ref`: no call of this job, or of its session, has it. `payload_gone`: it is not kept any
                more.
        """
        return json.loads(b"".join([piece async for piece in self.open_result(ref)]))

    def open_result(self, ref: str) -> AsyncIterator[bytes]:
        """Yield the JSON text of a large result in pieces of about 1 MB: `async for piece in ctx.open_result(ref)`.

        Raises:
            ToolError: as `read_result`.
        """
        return self.outlet.open_result(ref)

    async def emit(
        self,
        name: str,
        data: Any = None,
        key: str = "",
        delay_seconds: Duration = 0,
        *,
        once_for: str | None = None,
        once_for_seconds: Duration = 86_400,
    ) -> str:
        """Publish an app event of the job's tenant; return its id, which is the same in every attempt of the call.

        Of two events with the same name and key in one call, the second has the same id in every attempt. With
        `once_for` it is the event of this name that was sent under that text, while a job of it lives, and
        `once_for_seconds` after its end.
        """
        once = None if once_for is None else (once_for, plain_seconds(once_for_seconds))
        return await self.outlet.emit(name, data, key, plain_seconds(delay_seconds), once)

    def start(self, agent: str, task: str, data: dict[str, Any] | None = None) -> Pending:
        """Give a task to another agent, as a job below this one: `return ctx.start("writer", "…")`.

        The tool returns this value; the call's result is the other agent's answer. Nothing runs in the meantime.
        """
        if not isinstance(agent, str) or not agent:
            raise ValueError(f"start() needs an agent's name, got {agent!r}")
        return Pending(child=ChildTask(agent=agent, task=task, data=data or {}), operation=False)

    @classmethod
    def for_test(
        cls,
        *,
        job_id: str = "job-test",
        session_id: str = "session-test",
        call_id: str = "call-test",
        attempt: int = 1,
        idempotency_key: str = "key-test",
        started_at_ms: int = 1_767_225_600_000,  # 2026-01-01
        cancelled: bool = False,
    ) -> "RecordedToolContext":
        """Make a context for unit tests of tools; it keeps the tool's reports in lists."""
        from baton.sdk.tools.recorded import ToolRecorder  # noqa: PLC0415 - as above

        recorder = ToolRecorder(is_cancelled=cancelled)
        return RecordedToolContext(
            job_id=job_id,
            session_id=session_id,
            call_id=call_id,
            operation_id=f"{call_id}-operation",
            attempt=attempt,
            idempotency_key=idempotency_key,
            started_at_ms=started_at_ms,
            channel=recorder,
            memory=recorder.memory,
            outlet=recorder.outlet,
            recorder=recorder,
        )


@dataclass(frozen=True, kw_only=True)
class RecordedToolContext(ToolContext):
    """The context of `ToolContext.for_test`; `recorder` has the tool's reports."""

    recorder: "ToolRecorder"


_RUNNING: ContextVar[ToolContext] = ContextVar("baton_tool_context")


@contextmanager
def running(context: ToolContext) -> Iterator[None]:
    """Set the context of the tool that runs here."""
    token = _RUNNING.set(context)
    try:
        yield
    finally:
        _RUNNING.reset(token)


def tool_context() -> ToolContext:
    """Return the call that a tool of another library runs for: its idempotency key, progress, info.

    Raises:
        LookupError: no tool of a durable agent runs here.
    """
    try:
        return _RUNNING.get()
    except LookupError:
        raise LookupError("tool_context() is for tools of a durable agent: none runs here") from None
