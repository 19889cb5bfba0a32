"""The memory that a running tool call may use: that of its job's tenant and session."""

from collections.abc import Callable
from typing import Any

from baton.core.state import Job
from baton.memory.entries import note_of
from baton.memory.keeper import NO_INDEX, MemoryKeeper
from baton.memory.policy import Memory
from baton.ports import MemoryEntry
from baton.tools.tool_error import ToolError
from baton_events.errors import MemoryUnavailableError
from baton_events.timestamps import rfc3339


class CallMemory:
    """`ToolMemory` of one tool call; what it stores has the call's id, so a repeated attempt stores once."""

    def __init__(
        self, keeper: MemoryKeeper, job: Job, call_id: str, policy: Memory, hide: Callable[[str], str] = str
    ) -> None:
        self._keeper = keeper
        self._job = job
        self._call_id = call_id
        self._policy = policy
        self._hide = hide  # takes secrets out of a text

    async def remember(self, text: str) -> dict[str, Any]:
        """Store a note.

        Raises:
            ToolError: the vector index does not answer. StoreError: the store does not.
        """
        try:
            kept = await self._keeper.store(self._job.tenant, note_of(self._job, self._call_id, self._hide(text)))
        except MemoryUnavailableError as error:
            raise _unavailable(error) from error
        if not kept:
            return {"remembered": False, "note": "this conversation was forgotten on request after the job began"}
        if not self._keeper.has_index:
            return {"remembered": True, "note": f"in this conversation only, as {NO_INDEX}"}
        return {"remembered": True}

    async def recall(self, query: str, limit: int) -> dict[str, Any]:
        """Entries near the query, as far as the agent's memory reaches; without an index the session's newest ones.

        Raises:
            ToolError: the vector index does not answer. StoreError: the store does not.
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
