"""Names of large payloads in an object store, and what a record has of one in its place. Pure.

A ref is `NUMBER/TENANT/OWNER/DIGEST`. NUMBER counts the addresses of OBJECT_STORE_URL from the last one, so a new first
one leaves it as it is; TENANT and OWNER are digests, and so is the content's. OWNER is a job with all below it, or
`s/SESSION`. Invariant: a ref is followed only where a record of ours names it, or below its own job's place.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs

from baton_events.ids import digest, root_of

JSON = "application/json"
PREVIEW_CHARS = 2_000
_PLACE = r"[0-9a-f]{24}/(?:s/)?[0-9a-f]{24}"
# Not compiled here: most processes see none.
_REF = rf"(\d{{1,3}})/({_PLACE})/([0-9a-f]{{64}})"


class Ref(Struct, frozen=True):
    """A ref in its parts. `place`: of its tenant and owner; `name`: the digest of its content."""

    store: int
    place: str
    name: str

    @property
    def path(self) -> str:
        """Its path in its store."""
        return f"{self.place}/{self.name}"

    def __str__(self) -> str:
        return f"{self.store}/{self.path}"


def ref_of(text: str) -> Ref:
    """Return a ref in its parts.

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(_REF, text)
    if found is None:
        raise ValueError(f"{text[:100]!r} is no ref of a large payload, such as 0/TENANT/JOB/DIGEST")
    return Ref(int(found[1]), found[2], found[3])


def job_place(tenant: str, job_id: str) -> str:
    """Return the place of what belongs to a job, or to one below it."""
    return f"{_short(tenant)}/{_short(tenant, root_of(job_id))}"


def session_place(tenant: str, session_id: str) -> str:
    """Return the place of a session's files. Its end is what their key in the store has (keys.files_key)."""
    return f"{_short(tenant)}/s/{_short(tenant, session_id)}"


def named(ref: str, size_bytes: int, media_type: str = JSON, preview: str = "") -> dict[str, Any]:
    """Return what a record, and a model, has in place of a payload."""
    shown = {"preview": preview} if preview else {}
    return {"ref": ref, "bytes": size_bytes, "mediaType": media_type, **shown}


# The parts of a task's entry that may be large.
_OF_TASK = ("text", "data")


def task_content(task: Mapping[str, Any]) -> str:
    """Return what may be large of a task, as JSON."""
    return json.dumps({name: task[name] for name in _OF_TASK if name in task})


def task_apart(task: Mapping[str, Any], there: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of a task whose content is an object; for lists it has the beginning of its text."""
    beginning: dict[str, Any] = {"text": str(task.get("text", ""))[:PREVIEW_CHARS]} | (
        {"data": {}} if "data" in task else {}
    )
    return {**task, **beginning, "apart": there}


def task_whole(entry: Mapping[str, Any], content: bytes) -> dict[str, Any]:
    """Return the entry of a task with its content."""
    rest = {name: value for name, value in entry.items() if name != "apart" and name not in _OF_TASK}
    return {**json.loads(content), **rest}


def results_of(tenant: str, job_id: str, results: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return recorded results of another job with the refs that copies of the large ones have below this job."""
    place, own = job_place(tenant, job_id), dict[str, dict[str, Any]]()
    for name, stored in results.items():
        if "apart" in stored:
            ref = structs.replace(ref_of(stored["ok"]["ref"]), place=place)
            own[name] = {**stored, "ok": {**stored["ok"], "ref": str(ref)}}
    return {**results, **own}


def _short(*parts: str) -> str:
    return digest(*parts)[:24]
