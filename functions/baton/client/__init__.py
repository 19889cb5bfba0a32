"""A client of a deployment's API, for any program: `BatonClient`, and `AsyncBatonClient` for asyncio.

It needs httpx and msgspec alone, and imports nothing of agents, engine or queue.
"""

from baton.client.client import AsyncBatonClient, BatonClient
from baton.client.errors import ApiError, ConflictError, NotFoundError, UnreachableError
from baton.client.results import Checkpoint, Job, Part, Schedule, Score, Session, ToolCall

__all__ = [
    "ApiError",
    "AsyncBatonClient",
    "BatonClient",
    "Checkpoint",
    "ConflictError",
    "Job",
    "NotFoundError",
    "Part",
    "Schedule",
    "Score",
    "Session",
    "ToolCall",
    "UnreachableError",
]
