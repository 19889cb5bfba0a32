"""The keys of the list's rows, pure.

A shelf has the rows of ten minutes: one for the deployment, one for each tenant; the catalogue names the shelves. Texts
are on their tenant's shelf, so a search reads what the asking tenant has. For operators the catalogue names those
shelves by their time, too. A session has one key with its newest jobs, and so has a job with all that are below it.
"""

from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from baton.engine.all_jobs.job_list import Query, Row, bounds, index_of, members, tenant_of
from baton.engine.all_jobs.job_texts import is_text, row_of_text
from baton_events.ids import digest, is_child, root_of

SHELF_MS = 600_000
# A session lists this many of its newest jobs. One job in this many has them counted again.
SESSION_ROWS, _TRIMMED_EVERY = 10_000, 64
_CATALOGUED, _TEXTS = "aetfgh", "x"
_BEFORE_ANY_ID, _AFTER_ANY_MARK = "-:", "~"


class Place(Struct, frozen=True):
    """The key of a row; `entry`: its shelf in the catalogue. Keys of sessions and families are in no catalogue."""

    key: str
    entry: str = ""


class Shelf(Struct, frozen=True):
    """One entry of the catalogue: the rows of an index in ten minutes."""

    key: str
    begins_ms: int

    @property
    def ends_ms(self) -> int:
        """The time when the next one begins."""
        return self.begins_ms + SHELF_MS


class Span(Struct, frozen=True):
    """The rows that a query reads: of one index, from the highest (left out) down to the lowest.

    `key`: the key with all of them; empty: they are on shelves, which the catalogue has between these two entries.
    """

    index: str
    highest: str
    lowest: str
    key: str = ""
    first_entry: str = ""
    last_entry: str = ""


@lru_cache(256)  # an end asks several times about each of its rows
def place_of(member: str) -> Place:
    """Return the place of a row, or of a text."""
    if is_text(member):
        return place_of_texts(row_of_text(member))
    index, created, _, _ = member.rsplit(":", 3)
    if index[0] not in _CATALOGUED:
        return Place(_one_key(index))
    entry = _entry(index, int(created))
    return Place(f"{_scope(index)}:{entry.rpartition(':')[2]}", entry)


def place_of_texts(member: str) -> Place:
    """Return the place of the texts of a row's job."""
    _, created, _, marks = member.rsplit(":", 3)
    tenant, number = tenant_of(marks), f"{int(created) // SHELF_MS:08d}"
    return Place(f"t:{tenant}:{number}", f"{_TEXTS}:{number}:{tenant}")


def texts_span_of(query: Query, before: str) -> Span:
    """Return the span whose shelves have the texts that a query searches: those of its tenant, or of all tenants."""
    span = span_of(query, before)
    if query.tenant:
        return span
    first, last = (entry.rpartition(":")[2] for entry in (span.first_entry, span.last_entry))
    return replace(span, first_entry=f"{_TEXTS}:{first}:~", last_entry=f"{_TEXTS}:{last}:")


def span_of(query: Query, before: str) -> Span:
    """Return the span that a query reads."""
    index, (highest, lowest) = index_of(query), bounds(query, before)
    if index[0] not in _CATALOGUED:
        return Span(index, highest, lowest, key=_one_key(index))
    first, last = (_entry(index, int(end.removeprefix(f"{index}:").partition(":")[0])) for end in (highest, lowest))
    return Span(index, highest, lowest, "", first, last)


def shelf_of(entry: str) -> Shelf:
    if entry.startswith(f"{_TEXTS}:"):
        _, number, tenant = entry.split(":")
        return Shelf(f"t:{tenant}:{number}", int(number) * SHELF_MS)
    index, _, number = entry.rpartition(":")
    return Shelf(f"{_scope(index)}:{number}", int(number) * SHELF_MS)


def position_before(at_ms: int) -> str:
    """Return the position of the first older row: after every row that was created from `at_ms` on."""
    return f"{at_ms:013d}:{_BEFORE_ANY_ID}"


def behind(index: str, position: str) -> str:
    """Return the lower end of a range that begins behind a row, upwards."""
    return f"{index}:{position}{_AFTER_ANY_MARK}"


def is_trimmed_by(job_id: str) -> bool:
    """Return whether this job's first row has its session's rows counted: the same for each repetition."""
    return int(digest(job_id)[:4], 16) % _TRIMMED_EVERY == 0


def entries_of(places: Iterable[Place]) -> list[str]:
    """Return the entries of these rows in the catalogue."""
    return list(dict.fromkeys(place.entry for place in places if place.entry))


def shelves_of(row: Row) -> list[str]:
    """Return the entries of a job's rows and of its texts in the catalogue."""
    rows = members(row)
    texts = [] if is_child(row.job_id) else [place_of_texts(rows[0])]
    return entries_of((*map(place_of, rows), *texts))


def _one_key(index: str) -> str:
    kind, _, of = index.partition(":")
    return index if kind == "s" else f"c:{root_of(of)}"


def _scope(index: str) -> str:
    """Return the scope of an index: the tenant whose mark it ends with, or else the deployment."""
    return f"t:{index.rpartition(':')[2]}" if index[0] in "tfh" else "all"


def _entry(index: str, created_ms: int) -> str:
    """Return a shelf's entry. Completed jobs have none of their own, as most jobs complete: it would cost a command."""
    index = "a" if index == "e:completed" else index.replace("f:completed:", "t:")
    return f"{index}:{created_ms // SHELF_MS:08d}"
