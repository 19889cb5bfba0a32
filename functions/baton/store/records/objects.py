"""Names of large payloads in an object store, and what a record has of one in its place. Pure.

A ref is `NUMBER/TENANT/OWNER/DIGEST`. NUMBER counts the addresses of OBJECT_STORE_URL from the last one, so a new first
one leaves it as it is; TENANT is a mark, OWNER a digest, and so is the content's name. OWNER is a job with all below
it, or `s/SESSION`. Invariant: a ref is followed only where a record of ours names it, or below its own job's place; a
job's row in the list tells its place, whatever else is gone.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, structs

from baton.engine.all_jobs.job_list import Found, mark, tenant_of
from baton_events.ids import canonical_json, key_digest, root_of

JSON = "application/json"
PREVIEW_CHARS = 2_000
_PLACE = r"[0-9a-f]{32}/(?:s/)?[0-9a-f]{32}"
# Not compiled here: most processes see none.
_REF = rf"(\d{{1,3}})/({_PLACE})/([0-9a-f]{{64}})"


class Ref(Struct, frozen=True):
    """A ref in its parts. `place`: of its tenant and owner; `name`: the digest of its content."""

    store: int
    place: str
    name: str

    @property
    def path(self) -> str:
        return f"{self.place}/{self.name}"

    def __str__(self) -> str:
        return f"{self.store}/{self.path}"


def ref_of(text: str) -> Ref:
    """Return a ref in its parts. Raises ValueError: it is none."""
    found = re.fullmatch(_REF, text)
    if found is None:
        raise ValueError(f"{text[:100]!r} is no ref of a large payload, such as 0/TENANT/JOB/DIGEST")
    return Ref(int(found[1]), found[2], found[3])


def job_place(tenant: str, job_id: str) -> str:
    """Return the place of what belongs to a job, or to one below it."""
    return f"{mark(tenant)}/{key_digest(root_of(job_id))}"


def place_of_row(row: Found) -> str:
    """Return the same by the job's row."""
    return f"{tenant_of(row.member.rpartition(':')[2])}/{key_digest(root_of(row.job_id))}"


def session_place(tenant: str, session_id: str) -> str:
    """Return the place of a session's files. Its end is what their key in the store has (keys.files_key)."""
    return f"{mark(tenant)}/s/{key_digest(tenant, session_id)}"


def named(ref: str, size_bytes: int, media_type: str = JSON, preview: str = "") -> dict[str, Any]:
    """Return what a record, and a model, has in place of a payload."""
    shown = {"preview": preview} if preview else {}
    return {"ref": ref, "bytes": size_bytes, "mediaType": media_type, **shown}


# The fields of a user's entry that may be large; of any other record all but its name and its place may be.
_OF_USER, _HEAD = ("text", "data"), frozenset({"role", "v", "turn", "attempt"})
# What a list, a session and a memory show of an answer: they read no object.
ANSWER_CHARS = 8_000
_MOVED_CHARS = 1_000


def large_fields(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is large of a record of ours: a task, an entry of a transcript, a job's result."""
    if record.get("role", "user") == "user" and not record.keys().isdisjoint(_OF_USER):
        return {name: record[name] for name in _OF_USER if name in record}
    sized = {name: value for name, value in record.items() if name not in _HEAD}
    return {name: value for name, value in sized.items() if len(canonical_json(value)) >= _MOVED_CHARS}


def record_apart(record: Mapping[str, Any], moved: Mapping[str, Any], there: dict[str, Any]) -> dict[str, Any]:
    """Return a record whose large fields are an object: it has their beginnings, and the ids of its calls."""
    beginnings: dict[str, Any] = {}
    for name, value in moved.items():
        match name:
            case "text" | "answer":
                beginnings[name] = str(value)[: PREVIEW_CHARS if name == "text" else ANSWER_CHARS]
            case "data":
                beginnings[name] = {}
            case "calls":
                beginnings[name] = [{"id": call["id"], "tool": call["tool"]} for call in value]
            case _:
                pass
    rest = {name: value for name, value in record.items() if name not in moved}
    return {**rest, **beginnings, "apart": there}


def record_whole(record: Mapping[str, Any], content: bytes) -> dict[str, Any]:
    return {**{name: value for name, value in record.items() if name != "apart"}, **json.loads(content)}


def results_of(tenant: str, job_id: str, results: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return recorded results of another job with the refs that copies of the large ones have below this job."""
    place, own = job_place(tenant, job_id), dict[str, dict[str, Any]]()
    for name, stored in results.items():
        if "apart" in stored:
            own[name] = {**stored, "ok": _placed(stored["ok"], place)}
        if "apart" in stored.get("kept", ()):
            own[name] = {**own.get(name, stored), "kept": {"apart": _placed(stored["kept"]["apart"], place)}}
    return {**results, **own}


def objects_in(results: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what recorded results have in place of payloads."""
    found = list[dict[str, Any]]()
    for stored in results:
        found += [stored["ok"]] if "apart" in stored else []
        found += [stored["kept"]["apart"]] if "apart" in stored.get("kept", ()) else []
    return found


def _placed(there: Mapping[str, Any], place: str) -> dict[str, Any]:
    return {**there, "ref": str(structs.replace(ref_of(there["ref"]), place=place))}
