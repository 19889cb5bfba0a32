"""What a running tool may know of operations; whoever runs it says whose operations these are.

Must not: know a store.
"""

from typing import Any, Protocol


class ToolOperations(Protocol):
    """The operations of a running job's tenant."""

    async def status(self, operation_id: str) -> dict[str, Any]:
        """How far it is: `{"operationId", "status", "done"}`, then `tool`, and once it is done `result` or `error`."""
        ...


class NoOperations:
    """`ToolOperations` of a context that was given none."""

    async def status(self, operation_id: str) -> dict[str, Any]:
        """Nobody knows it."""
        return {"operationId": operation_id, "status": "unknown", "done": False}
