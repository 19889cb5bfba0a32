"""What a running tool may do with memory; whoever runs it says whose memory that is.

Invariant: a repeated attempt of a call stores once. Must not: know a store or an index.
"""

from typing import Any, Protocol

from msgspec import Struct, field

from baton.tools.tool_error import ToolError


class ToolMemory(Protocol):
    """The memory of a running job's tenant and session."""

    async def remember(self, text: str) -> dict[str, Any]:
        """Store a note, once for the call: `{"remembered": bool}`, and a `note` where there is more to say."""
        ...

    async def recall(self, query: str, limit: int) -> dict[str, Any]:
        """Entries near the query: `{"entries": […]}`, and a `note` where there is more to say."""
        ...


class NoMemory:
    """`ToolMemory` of a context that was given none."""

    async def remember(self, text: str) -> dict[str, Any]:
        """Refuse."""
        raise ToolError(f"there is no memory here to keep {text[:40]!r} in", type="no_memory")

    async def recall(self, query: str, limit: int) -> dict[str, Any]:  # noqa: ARG002 - signature of the protocol
        """Refuse."""
        raise ToolError(f"there is no memory here to look for {query[:40]!r} in", type="no_memory")


class RecordedMemory(Struct):
    """`ToolMemory` for unit tests of tools: `notes` has what the tool stored, `queries` what it looked for.

    A recall gives the notes that contain a word of the query.
    """

    notes: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)

    async def remember(self, text: str) -> dict[str, Any]:
        """Keep a note."""
        self.notes.append(text)
        return {"remembered": True}

    async def recall(self, query: str, limit: int) -> dict[str, Any]:
        """The notes that contain a word of the query."""
        self.queries.append(query)
        words = query.casefold().split()
        found = [note for note in self.notes if any(word in note.casefold() for word in words)]
        return {"entries": [{"text": note} for note in found[:limit]]}
