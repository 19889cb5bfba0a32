"""The list of jobs on Upstash Redis: sorted sets in the order of their members' bytes (engine/all_jobs/job_list.py).

In a search the store matches texts (ZSCAN), some shelves in a request, in steps so small that others hardly wait.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from baton.engine.all_jobs.job_list import Found, Query, Row, all_members, found, matching, members
from baton.engine.all_jobs.job_texts import hits, outcomes_before, pattern, texts_of, with_texts
from baton.engine.all_jobs.shelves import (
    SESSION_ROWS,
    Place,
    Shelf,
    Span,
    behind,
    entries_of,
    is_trimmed_by,
    place_of,
    place_of_texts,
    position_before,
    shelf_of,
    shelves_of,
    span_of,
    texts_span_of,
)
from baton.store.records.all_jobs import Scanned
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from baton_events.ids import is_child

# Shelves of one scan, and of its first request: a busy list has a page on few of them.
_MOST_SHELVES, _FIRST_SHELVES = 64, 4
# A search reads more and more shelves in a request while they are nearly empty, with about this many members in each.
_SEARCHED_SHELVES, _MEMBERS, _MOST_MEMBERS, _LEAST_MEMBERS = (1, 8, 64, 512), 50_000, 5_000, 128
# The limits of one search, unless whole shelves take more.
_SEARCH_REQUESTS, _MOST_SEARCHED = 12, 5_000
_CATALOGUE, _ENTRY = keys.SLOT_ORDER, keys.SLOT_SHELVES
_Command = list[str | int]


class Listing:
    """Rows of jobs. A row is a hint: its job may have ended otherwise by now, or be gone."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def add(self, row: Row, *, catalogued: bool = False) -> None:
        """Write a job's rows and its text: three commands; one for a job below another.

        `catalogued`: its slot request names its shelves; else one more does. Its end writes again what differs, and the
        catalogue, which a failover may have lost. Where a row is missing, too, it writes all of them. One more replaces
        the text of an earlier run. While texts are sealed, it is not written: a search would need it in clear.
        """
        if self._redis.sealing.first and row.text:
            row = replace(row, text="")
        entries = [] if catalogued else [f"{_ENTRY}{entry}" for entry in shelves_of(row)]  # none of one below another
        shelves = _adding({_CATALOGUE: entries}) if entries else []
        if row.status and row.run == 1:
            return await self._add_end(row, shelves)
        by_key = _by_key(with_texts(row))
        commands = [*shelves, *_adding(by_key)]
        if before := outcomes_before(row):
            commands.insert(0, _without(members(row)[0], *before))
        if not row.status and is_trimmed_by(row.job_id):
            sessions = [key for key in by_key if key.startswith(keys.list_key("s:"))]
            commands += [["ZREMRANGEBYRANK", key, 0, -SESSION_ROWS - 1] for key in sessions]
        await self._redis.run_beside(*commands)
        return None

    async def _add_end(self, row: Row, shelves: list[_Command]) -> None:
        now, was = (_by_key(with_texts(each)) for each in (row, replace(row, status="", text="")))
        new = {key: rows for key, rows in now.items() if rows != was.get(key)} or now
        answers = await self._redis.run_beside(*shelves, *_adding(new))
        added = dict(zip(new, answers[len(shelves) :], strict=True))
        if len(new) < len(now) and any(count > len(new[key]) - len(was[key]) for key, count in added.items()):
            await self._redis.run_beside(*_adding(now))

    async def scan(self, query: Query, before: str, limit: int) -> Scanned:
        """Read up to `limit` rows before that position (empty: from the newest one); in one request."""
        span = span_of(query, before)
        if span.key:
            rows, down_to_ms = await self._redis.execute(*_down(keys.list_key(span.key), span, limit)), 0
        else:
            rows, down_to_ms = await self._on_shelves(span, limit)
        lowest = f"{span.index}:{down_to_ms:013d}:"
        stored = sorted((row for row in rows if row >= lowest), reverse=True)[:limit]
        if len(stored) == limit:
            return Scanned(matching(query, stored), found(stored[-1]).position)
        return Scanned(matching(query, stored), position_before(down_to_ms) if down_to_ms else "")

    async def _on_shelves(self, span: Span, limit: int) -> tuple[set[str], int]:
        """Return rows, and the time down to which they are complete: 0: no older ones are left."""
        (entries,) = await self._redis.pipeline(_entries_down(span, _MOST_SHELVES))
        rows, shelves = set[str](), _shelves(entries)
        read, count = 0, 0
        while read < len(shelves) and count < limit:
            chunk = shelves[read : read + (_FIRST_SHELVES if not read else _MOST_SHELVES)]
            answers = await self._redis.pipeline(*(_down(keys.list_key(shelf.key), span, limit) for shelf in chunk))
            read, count = read + len(chunk), count + sum(map(len, answers))
            rows.update(*answers)
        more = read < len(shelves) or read == _MOST_SHELVES
        return rows, shelves[read - 1].begins_ms if more else 0

    async def counts(self, queries: Sequence[Query]) -> list[dict[int, int]]:
        """Count the rows of each query's index by when their shelves begin, in two requests, and read none of them."""
        spans = [span_of(query, "") for query in queries]
        entries = await self._redis.pipeline(*(_entries_down(span, _MOST_SEARCHED) for span in spans))
        shelves = [(at, span, shelf) for at, span in enumerate(spans) for shelf in _shelves(entries[at])]
        commands: list[_Command] = [
            ["ZLEXCOUNT", keys.list_key(shelf.key), f"[{span.lowest}", f"({span.highest}"] for _, span, shelf in shelves
        ]
        counts = await self._redis.pipeline(*commands) if commands else []
        found = [dict[int, int]() for _ in spans]
        for (at, _, shelf), count in zip(shelves, counts, strict=True):
            found[at][shelf.begins_ms] = int(count)
        return found

    async def search_texts(self, query: Query, before: str, limit: int) -> Scanned:
        """Search for at least `limit` jobs before that position whose texts have the longest of the query's words.

        It reads whole shelves, so it may find more; in a few requests, so it may find fewer.
        """
        by_shelf = replace(query, session_id="", parent_id="")
        span, found, requests, sizes = texts_span_of(by_shelf, before), list[Found](), 1, iter(_SEARCHED_SHELVES)
        (entries,) = await self._redis.pipeline(_entries_down(span, _MOST_SEARCHED))
        shelves, read, size = _whole(_shelves(entries)), 0, next(sizes)
        while read < len(shelves) and len(found) < limit and requests < _SEARCH_REQUESTS:
            chunk = _of_whole_times(shelves, read, size)
            texts, count = await self._matched(chunk, pattern(query))
            found += hits(by_shelf, before, texts)
            read, requests = read + len(chunk), requests + count
            size = next(sizes, size) if count == 1 else size
        more = read < len(shelves) or len(entries) == _MOST_SEARCHED
        return Scanned(tuple(found), position_before(shelves[read - 1].begins_ms) if more else "")

    async def _matched(self, shelves: Sequence[Shelf], wanted: str) -> tuple[set[str], int]:
        open_shelves, found, requests = {keys.list_key(shelf.key): "0" for shelf in shelves}, set[str](), 0
        while open_shelves:
            count = min(_MOST_MEMBERS, max(_LEAST_MEMBERS, _MEMBERS // len(open_shelves)))
            scans = open_shelves.items()
            commands: list[_Command] = [["ZSCAN", key, at, "MATCH", wanted, "COUNT", count] for key, at in scans]
            answers = await self._redis.pipeline(*commands)
            requests += 1
            cursors = dict(zip(open_shelves, (str(cursor) for cursor, _ in answers), strict=True))
            found.update(member for _, members in answers for member, _ in members)
            open_shelves = {key: cursor for key, cursor in cursors.items() if cursor != "0"}
        return found, requests

    async def old(self, after: str, before_ms: int, limit: int) -> Scanned:
        """Return some of the jobs created before then, the oldest first, `limit` at most, behind that position."""
        span = span_of(Query(before_ms=before_ms), "")
        begin = f"({behind(span.index, after)}" if after else f"[{span.lowest}"
        first = f"[{_ENTRY}{place_of(f'{span.index}:{after or position_before(0)}').entry}"
        (entries,) = await self._redis.pipeline(
            ["ZRANGE", _CATALOGUE, first, f"[{_ENTRY}{span.first_entry}", "BYLEX", "LIMIT", 0, _MOST_SHELVES]
        )
        rows, shelves = set[str](), _shelves(entries)
        for answer in await self._all_of(shelves, begin, span, limit):
            rows.update(answer)
        highest = f"{span.index}:{shelves[-1].ends_ms:013d}:" if len(shelves) == _MOST_SHELVES else span.highest
        stored = sorted(row for row in rows if row < highest)[:limit]
        if len(stored) == limit:
            next_position = found(stored[-1]).position
        else:
            next_position = position_before(shelves[-1].ends_ms) if len(shelves) == _MOST_SHELVES else ""
        return Scanned(tuple(found(member) for member in stored), next_position)

    async def _all_of(self, shelves: Sequence[Shelf], begin: str, span: Span, limit: int) -> list[list[str]]:
        if not shelves:
            return []
        rest: _Command = [begin, f"({span.highest}", "BYLEX", "LIMIT", 0, limit]
        return await self._redis.pipeline(*(["ZRANGE", keys.list_key(shelf.key), *rest] for shelf in shelves))

    async def forget(self, found: Sequence[Found]) -> None:
        """Remove all rows and texts of jobs that are gone, and of the jobs below them. Harmless when repeated."""
        if not found:
            return
        gone = sorted({name for one in found for name in all_members(one.member)})
        shelves = {place_of(member) for member in gone if place_of(member).entry}
        shelves |= {place_of_texts(one.member) for one in found if not is_child(one.job_id)}
        emptied = sorted({keys.list_key(place.key) for place in shelves})
        families: list[_Command] = [
            ["DEL", keys.list_key(f"c:{one.job_id}")] for one in found if not is_child(one.job_id)
        ]
        answers = await self._redis.pipeline(
            *(["ZREM", key, *rows] for key, rows in _by_key(gone).items()),
            *(_without(one.member, *texts_of(one)) for one in found if not is_child(one.job_id)),
            *families,
            *(["EXISTS", key] for key in emptied),
        )
        left = {key for key, there in zip(emptied, answers[len(answers) - len(emptied) :], strict=True) if there}
        await self._take_off(place for place in shelves if keys.list_key(place.key) not in left)

    async def remove(self, rows: Iterable[str]) -> None:
        """Remove these rows, which no job has. Harmless when repeated."""
        await self._redis.pipeline(*(["ZREM", key, *each] for key, each in _by_key(rows).items()))

    async def _take_off(self, places: Iterable[Place]) -> None:
        """Take empty shelves off the catalogue; a row written right now may be off it until another one is written."""
        if entries := entries_of(places):
            await self._redis.execute("ZREM", _CATALOGUE, *(f"{_ENTRY}{entry}" for entry in entries))


def _shelves(entries: Iterable[str]) -> list[Shelf]:
    return [shelf_of(entry.removeprefix(_ENTRY)) for entry in entries]


def _whole(shelves: list[Shelf]) -> list[Shelf]:
    """Leave out the shelves of a time of which there may be more behind the last one that was read."""
    if len(shelves) < _MOST_SEARCHED or shelves[0].begins_ms == shelves[-1].begins_ms:
        return shelves
    return [shelf for shelf in shelves if shelf.begins_ms != shelves[-1].begins_ms]


def _of_whole_times(shelves: Sequence[Shelf], first: int, count: int) -> Sequence[Shelf]:
    """Return about so many shelves: all of a time, as the next page begins before it."""
    end = first + count
    while end < len(shelves) and shelves[end].begins_ms == shelves[end - 1].begins_ms:
        end += 1
    return shelves[first:end]


def _by_key(rows: Iterable[str]) -> dict[str, list[str]]:
    kept: dict[str, list[str]] = {}
    for member in rows:
        kept.setdefault(keys.list_key(place_of(member).key), []).append(member)
    return kept


def _adding(by_key: Mapping[str, Iterable[str]]) -> list[_Command]:
    return [["ZADD", key, *(value for text in texts for value in (0, text))] for key, texts in by_key.items()]


def _without(member: str, lowest: str, highest: str) -> _Command:
    return ["ZREMRANGEBYLEX", keys.list_key(place_of_texts(member).key), f"[{lowest}", f"({highest}"]


def _entries_down(span: Span, limit: int) -> _Command:
    first, last = f"[{_ENTRY}{span.first_entry}", f"[{_ENTRY}{span.last_entry}"
    return ["ZRANGE", _CATALOGUE, first, last, "BYLEX", "REV", "LIMIT", 0, limit]


def _down(key: str, span: Span, limit: int) -> _Command:
    # Without WITHSCORES: the SDK leaves the reply as it is, a list of members.
    return ["ZRANGE", key, f"({span.highest}", f"[{span.lowest}", "BYLEX", "REV", "LIMIT", 0, limit]
