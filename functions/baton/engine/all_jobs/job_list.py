"""The list of jobs, pure: their rows, where a page begins, and which rows a query reads.

A row is `INDEX:TIME:JOB:MARKS`, a member of a sorted set in the order of its bytes; TIME has 13 digits, so newer jobs
come later. It never changes: a job's present state is read from the job. Where rows are kept: shelves.py.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from baton.engine.transitions import END_STATUSES
from baton.sdk.records.record import Record
from baton_events.ids import KEY_CHARS, is_child, key_digest

# Of a filter, behind which readers check the job; what a key has is longer.
_FILTER_CHARS = 8
_RECENT_MARKS = 1024
_LATEST_MS = 9_999_999_999_999
_JOB = "[A-Za-z0-9._-]{1,400}"
_POSITION = f"[0-9]{{13}}:{_JOB}:"
_ALL = "a"


class Row(Record, frozen=True):
    """A job as the list knows it; `status`: its end, if it has ended.

    `text`: of its task, at its end of its answer, for searches; empty: not at hand. `run`: as the job's.
    """

    job_id: str
    created_ms: int
    tenant: str
    session_id: str
    agent: str
    status: str = ""
    tags: tuple[str, ...] = ()
    text: str = ""
    run: int = 1


class Query(Struct, frozen=True):
    """The filters of a list; an empty one matches every job. Jobs below others come with `parent_id` only.

    `after_ms`: created then or later; `before_ms`: created before then. `statuses`: any of these; none: any status.
    `tags`: all of these. `words`: all of these occur in task, answer or error (job_texts.py).
    """

    tenant: str = ""
    session_id: str = ""
    agent: str = ""
    statuses: frozenset[str] = frozenset()
    parent_id: str = ""
    after_ms: int = 0
    before_ms: int = _LATEST_MS
    tags: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def live(self) -> bool:
        """Whether only jobs that have not ended can match: the admission's slot table knows those."""
        return bool(self.statuses) and not self.statuses & END_STATUSES and not self.parent_id


class Found(Struct, frozen=True):
    """A row that may match a query. `position`: where the next page begins. `member`: as it is stored."""

    job_id: str
    created_ms: int
    position: str
    member: str = ""


mark = lru_cache(_RECENT_MARKS)(key_digest)  # of a tenant, a session, a tag: they come again and again


def position_of(created_ms: int, job_id: str) -> str:
    return f"{created_ms:013d}:{job_id}:"


def members(row: Row) -> tuple[str, ...]:
    tenant, tags = mark(row.tenant), [mark(tag) for tag in row.tags]
    agent, session = mark(row.agent)[:_FILTER_CHARS], mark(row.session_id)[:_FILTER_CHARS]
    marks = (agent, session, tenant, mark(row.tenant, row.session_id), *tags)
    tail = f":{position_of(row.created_ms, row.job_id)}{''.join(marks)}"
    if is_child(row.job_id):
        return (f"c:{row.job_id.rpartition('.')[0]}{tail}",)
    indexes = [_ALL, f"t:{tenant}", f"s:{mark(row.tenant, row.session_id)}", *_of_tags(tags, tenant)]
    if row.status:
        indexes += [f"e:{row.status}", f"f:{row.status}:{tenant}"]
    return tuple(index + tail for index in indexes)


def all_members(member: str) -> tuple[str, ...]:
    """Return every row that the job of this one may have, to remove them."""
    index, created, job_id, marks = _parts(member)
    tail = f":{created}:{job_id}:{marks}"
    if is_child(job_id):
        return (index + tail,)
    _, _, tenant, place, *tags = _each(marks)
    ends = [index for status in sorted(END_STATUSES) for index in (f"e:{status}", f"f:{status}:{tenant}")]
    return tuple(index + tail for index in (_ALL, f"t:{tenant}", f"s:{place}", *_of_tags(tags, tenant), *ends))


def _of_tags(tags: Iterable[str], tenant: str) -> tuple[str, ...]:
    return tuple(index for tag in tags for index in (f"g:{tag}", f"h:{tag}:{tenant}"))


def _each(marks: str) -> list[str]:
    """Return the marks of a row: filters of its agent and session, then its tenant, its place, and its tags."""
    filters, rest = 2 * _FILTER_CHARS, range(2 * _FILTER_CHARS, len(marks), KEY_CHARS)
    return [marks[:_FILTER_CHARS], marks[_FILTER_CHARS:filters], *[marks[at : at + KEY_CHARS] for at in rest]]


def tenant_of(marks: str) -> str:
    """Return the tenant's mark among the marks of a row."""
    return _each(marks)[2]


def found(member: str) -> Found:
    """Parse a row."""
    _, created, job_id, _ = _parts(member)
    return Found(job_id, int(created), position_of(int(created), job_id), member)


def _parts(member: str) -> tuple[str, str, str, str]:
    index, created, job_id, marks = member.rsplit(":", 3)
    return index, created, job_id, marks


def index_of(query: Query) -> str:
    """Return the index with the fewest rows that has all rows of the query."""
    if query.parent_id:
        return f"c:{query.parent_id}"
    if query.tenant and query.session_id:
        return f"s:{mark(query.tenant, query.session_id)}"
    if query.tags:
        tag = mark(query.tags[0])
        return f"h:{tag}:{mark(query.tenant)}" if query.tenant else f"g:{tag}"
    if len(query.statuses) == 1 and query.statuses <= END_STATUSES:
        (status,) = query.statuses
        return f"f:{status}:{mark(query.tenant)}" if query.tenant else f"e:{status}"
    return f"t:{mark(query.tenant)}" if query.tenant else _ALL


def bounds(query: Query, before: str) -> tuple[str, str]:
    """Return the range of rows, from the highest (left out) down to the lowest; `before`: where a page begins."""
    index = index_of(query)
    highest = min(position for position in (before, f"{min(query.before_ms, _LATEST_MS):013d}:") if position)
    return f"{index}:{highest}", f"{index}:{min(query.after_ms, _LATEST_MS):013d}:"


def may_match(query: Query, member: str) -> bool:
    """Return whether a row's job may match, as far as the row shows."""
    agent, session, tenant, _, *tags = _each(_parts(member)[3])
    return (
        (not query.tenant or tenant == mark(query.tenant))
        and (not query.agent or agent == mark(query.agent)[:_FILTER_CHARS])
        and (not query.session_id or session == mark(query.session_id)[:_FILTER_CHARS])
        and all(mark(tag) in tags for tag in query.tags)
    )


def matching(query: Query, stored: Iterable[str]) -> tuple[Found, ...]:
    """Return the rows whose jobs may match."""
    return tuple(found(member) for member in stored if may_match(query, member))


def is_position(text: str) -> bool:
    """Return whether a list may give this position."""
    return re.fullmatch(_POSITION, text) is not None


def cursor_of(position: str, replaced: str = "") -> str:
    """Return a position as the cursor that clients send back.

    `replaced`: a job of the session; a message of a newer page has replaced it, with all up to that message.
    """
    return base64.urlsafe_b64encode(f"{position}{replaced}".encode()).decode().rstrip("=")


def position_from(cursor: str) -> str:
    """Parse the position in a cursor. Raises ValueError: no list gave it."""
    return _read(cursor)[0]


def replaced_in(cursor: str) -> str:
    """Parse the replaced job in a session's cursor; empty: there is none. Raises ValueError: no list gave it."""
    return _read(cursor)[1]


def _read(cursor: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), "-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{cursor[:80]!r} is no cursor of a list") from error
    if (read := re.fullmatch(f"({_POSITION})({_JOB})?", text)) is None:
        raise ValueError(f"{cursor[:80]!r} is no cursor of a list")
    return read[1], read[2] or ""
