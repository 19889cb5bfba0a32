"""The records of the context for unit tests of tools (`ToolContext.for_test`): all that a tool does with it."""

from collections.abc import AsyncIterator
from typing import Any

from msgspec import Struct
from msgspec import field as struct_field

from baton.sdk.records.result_files import named_file
from baton.sdk.tools.tool_error import ToolError
from baton_events.ids import canonical_json


class RecordedMemory(Struct):
    """`ToolMemory` for unit tests of tools: `notes` has the stored notes, `queries` the searches.

    A recall returns the notes that contain a word of the query.
    """

    notes: list[str] = struct_field(default_factory=list)
    queries: list[str] = struct_field(default_factory=list)

    async def remember(self, text: str) -> dict[str, Any]:
        self.notes.append(text)
        return {"remembered": True}

    async def recall(self, query: str, limit: int) -> dict[str, Any]:
        """Return the notes that contain a word of the query."""
        self.queries.append(query)
        words = query.casefold().split()
        found = [note for note in self.notes if any(word in note.casefold() for word in words)]
        return {"entries": [{"text": note} for note in found[:limit]]}


class RecordedOutlet(Struct):
    """`Outlet` for unit tests, and of a context that was given none: `emitted` has (name, data, key, delay).

    `started` has (agent, task, input data, session), `files` the contents by their names; `once` the ids by
    `once_for`. `results`: what a test puts there, by ref.
    """

    emitted: list[tuple[str, Any, str, float]] = struct_field(default_factory=list)
    started: list[tuple[str, str, dict[str, Any], str]] = struct_field(default_factory=list)
    files: dict[str, bytes] = struct_field(default_factory=dict)
    once: dict[tuple[str, str], str] = struct_field(default_factory=dict)
    results: dict[str, Any] = struct_field(default_factory=dict)

    async def open_result(self, ref: str) -> AsyncIterator[bytes]:
        """Yield the result that the test has put under this ref."""
        if ref not in self.results:
            raise ToolError(f"{ref[:100]!r} is no ref of this test", type="unknown_ref")
        yield canonical_json(self.results[ref]).encode()

    async def keep_file(self, data: bytes, media_type: str, filename: str) -> dict[str, Any]:
        named, _ = named_file(data, media_type, filename)
        self.files[named["name"]] = data
        return named

    async def emit(self, name: str, data: Any, key: str, delay_seconds: float, once: tuple[str, float] | None) -> str:
        """Record the event, unless one has the key."""
        if once and (known := self.once.get((name, once[0]))):
            return known
        self.emitted.append((name, data, key, delay_seconds))
        return self._named(f"evt_{len(self.emitted)}", name, once)

    async def start(
        self, agent: str, task: str, input_data: dict[str, Any], session_id: str, once: tuple[str, float] | None
    ) -> str:
        """Record the job, unless one has the key."""
        if once and (known := self.once.get(("", once[0]))):
            return known
        self.started.append((agent, task, input_data, session_id))
        return self._named(f"job_{len(self.started)}", "", once)

    def _named(self, made: str, name: str, once: tuple[str, float] | None) -> str:
        if once:
            self.once[name, once[0]] = made
        return made

    async def is_newest(self, handler: str, event: dict[str, Any]) -> bool:
        """Return True: a test has one event."""
        del handler, event
        return True


class ToolRecorder(Struct):
    """A channel that records a tool's reports: `infos` as (title, data), `progress_reports` as (fraction, text).

    `memory`: the context's memory; `outlet`: the tool's published events, jobs and files.
    """

    is_cancelled: bool = False
    infos: list[tuple[str, Any]] = struct_field(default_factory=list)
    progress_reports: list[tuple[float, str]] = struct_field(default_factory=list)
    memory: RecordedMemory = struct_field(default_factory=RecordedMemory)
    outlet: RecordedOutlet = struct_field(default_factory=RecordedOutlet)

    async def info(self, title: str, data: Any) -> None:
        self.infos.append((title, data))

    async def progress(self, fraction: float, text: str) -> None:
        self.progress_reports.append((fraction, text))

    async def cancelled(self) -> bool:
        """Return the value that the test has set."""
        return self.is_cancelled
