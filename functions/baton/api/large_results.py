"""Which results of tool calls stand in a job's answer, and which are too large for it and are read one by one.

Invariant: the answer stays below what hosts let through (6 MB on Lambda), however many results a job has. Pure.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pydantic_core import to_json

# All together; an answer that is handed over as text inside JSON may be twice as long.
INLINE_RESULTS_BYTES = 2_000_000


def references(job_id: str, results: Mapping[str, Any], most_bytes: int) -> dict[str, dict[str, Any]]:
    """The references to results that do not fit, by call id: the smallest results stand in the answer themselves."""
    sizes = sorted((len(to_json(value)), call_id) for call_id, value in results.items())
    found: dict[str, dict[str, Any]] = {}
    room_bytes = most_bytes
    for size_bytes, call_id in sizes:
        room_bytes -= size_bytes
        if room_bytes < 0:
            found[call_id] = {"url": result_path(job_id, call_id), "sizeBytes": size_bytes}
    return found


def result_path(job_id: str, call_id: str) -> str:
    """Where one result is read."""
    return f"/api/agent-jobs/{quote(job_id, safe='')}/results/{quote(call_id, safe='')}"
