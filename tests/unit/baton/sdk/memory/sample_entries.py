"""Jobs and entries that tests of memory share."""

from typing import Any

from msgspec.structs import replace

from baton.engine.state import Job
from baton.sdk.records.memory import MemoryEntry

SUBMITTED_MS = 1_800_000_000_000
JOB = Job("job_1", "session_1", "acme", "keeper", SUBMITTED_MS, result={"answer": "It is red."})
QUESTION = "Which colour has the lamp?"
TASK: dict[str, Any] = {"text": QUESTION, "data": {}}


def a_job(**changes: Any) -> Job:
    return replace(JOB, **changes)


def an_entry(name: str = "job_0", text: str = "the lamp is red", *, session: str = "session_1") -> MemoryEntry:
    return MemoryEntry(name, "exchange", text, session, "keeper", name, SUBMITTED_MS - 1000)
