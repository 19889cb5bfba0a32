"""The records, in one SQLite file; a search compares all of a namespace exactly, or those that a filter passes.

The score is (1 + cosine) / 2 (vector-rest.md 5). Between directions, 1 - cosine is half the square of their distance,
and `math.dist` needs no numeric library. With an index delay, a written record is fetched at once but found only later
(vector-rest.md 6). Invariants: a write is on disk, whole or not at all, when it returns. A record keeps its place when
it is replaced, and its vector the numbers that were sent. The default namespace, the empty name, always exists.
Vectors of different dimensions or models never meet.

Filters are `field = literal` and its kin, and `field [NOT] IN (…)`, joined by AND; paths are `a.b.c`. The rest of the
service's grammar (vector-rest.md 7) is answered 501 by its name. Every character is read, else the text is refused with
the place named. A missing field, or a value of another type, makes every predicate false, the negative ones too.
"""

import json
import math
import operator
import re
import sqlite3
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

from baton_local.stand_in.api_error import ApiError
from baton_local.stand_in.folder import DataFolderError

Filter = Callable[[Mapping[str, Any] | None], bool]
Literal = str | int | float | bool

_STRING = r"""'(?:[^']|'')*'|"(?:[^"]|"")*\""""
_LITERAL = rf"(?:{_STRING}|[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?(?![\w.])|true\b|false\b)"
_ITEMS = re.compile(_LITERAL, re.IGNORECASE)
_PREDICATE = re.compile(
    rf"""\s*(?P<field>[a-z_][\w.-]*)\s*
    (?: (?P<sign>!=|<=|>=|=|<|>)\s*(?P<literal>{_LITERAL})
      | (?P<negated>not\s+)?in\s*\(\s*(?P<list>{_LITERAL}(?:\s*,\s*{_LITERAL})*)\s*\) )
    \s*(?P<more>and\b|$)""",
    re.IGNORECASE | re.VERBOSE,
)
_LEFT_OUT = re.compile(r"\b(?:OR|GLOB|CONTAINS|HAS)\b|\[|\(", re.IGNORECASE)
_SHOWN_CHARACTERS = 60
_ORDERINGS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def parse_filter(text: str | None) -> Filter | None:
    """Return the filter that a text writes; None for an empty one. ApiError (400, 501) for any other text."""
    if text is None or not text.strip():
        return None
    predicates, position, more = [], 0, True
    while more:
        found = _PREDICATE.match(text, position)
        if found is None:
            raise _unreadable(text[position:].strip())
        predicates.append(_predicate(found))
        position, more = found.end(), bool(found["more"])
    return lambda metadata: all(holds(metadata or {}) for holds in predicates)


def _unreadable(rest: str) -> ApiError:
    left_out = _LEFT_OUT.search(re.sub(_STRING, "", rest))
    if left_out is not None:
        return ApiError(
            HTTPStatus.NOT_IMPLEMENTED, f"filter: {left_out[0]} is not emulated locally; join predicates by AND"
        )
    shown = repr(rest[:_SHOWN_CHARACTERS]) if rest else "the end"
    return ApiError(
        HTTPStatus.BAD_REQUEST, f"filter: cannot be read from {shown} on; write it as `a = 'x' AND b IN (1, 2)`"
    )


def _predicate(found: re.Match[str]) -> Callable[[Mapping[str, Any]], bool]:
    names = found["field"].split(".")
    if found["sign"]:
        sign, literal = found["sign"], _literal(found["literal"])
        return lambda metadata: _compares(_value_in(metadata, names), sign, literal)
    literals = [_literal(each) for each in _ITEMS.findall(found["list"])]
    if found["negated"]:
        return lambda metadata: all(_compares(_value_in(metadata, names), "!=", each) for each in literals)
    return lambda metadata: any(_compares(_value_in(metadata, names), "=", each) for each in literals)


def _literal(text: str) -> Literal:
    if text[0] in "'\"":
        return text[1:-1].replace(text[0] * 2, text[0])
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    try:
        return int(text)
    except ValueError:
        return float(text)


def _value_in(metadata: Mapping[str, Any], names: list[str]) -> Any:
    """Return the field's value; None, as for a field that is null, where there is none."""
    value: Any = metadata
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _compares(value: Any, sign: str, literal: Literal) -> bool:
    """Compare values of a kind. A stored boolean equals 1 or 0; a stored number never equals `true` or `false`."""
    kinds = (float if type(value) is int else type(value), float if type(literal) is int else type(literal))
    if sign in _ORDERINGS:
        return kinds == (float, float) and bool(_ORDERINGS[sign](value, literal))
    alike = kinds in {(float, float), (str, str), (bool, bool), (bool, float)}
    return alike and (value == literal) is (sign == "=")


Metadata = dict[str, Any]


class Record(NamedTuple):
    id: str
    vector: Sequence[float]
    metadata: Metadata | None = None
    data: str | None = None


_ROUND_TO_DIGITS = 7
_BEST_BELOW_ONE = 1 - 10.0**-_ROUND_TO_DIGITS
_SAME_DIRECTION_DISTANCE = 1e-7
_SCORE_OF_ZERO_VECTOR = 0.5  # its cosine counts as 0


def score(one: Sequence[float] | None, other: Sequence[float] | None) -> float:
    """Return the similarity of two directions: exactly 1 for the same one, else rounded, and below."""
    if one is None or other is None:
        return _SCORE_OF_ZERO_VECTOR
    distance = math.dist(one, other)
    if distance < _SAME_DIRECTION_DISTANCE:
        return 1.0
    return min(max(round(1 - distance * distance / 4, _ROUND_TO_DIGITS), 0.0), _BEST_BELOW_ONE)


def direction(numbers: Sequence[float]) -> tuple[float, ...] | None:
    """Return the vector of length 1; None for the zero vector."""
    length = math.hypot(*numbers)
    return tuple(number / length for number in numbers) if length else None


def unacceptable(message: str) -> ApiError:
    """Make the error for a well-formed request that this index cannot take (422)."""
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, message)


_TABLES = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=FULL;
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS namespaces(place INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS records(place INTEGER PRIMARY KEY, namespace TEXT NOT NULL, id TEXT NOT NULL,
    vector BLOB NOT NULL, metadata TEXT NOT NULL, data TEXT, found_at REAL NOT NULL, UNIQUE(namespace, id));
INSERT OR IGNORE INTO namespaces(name) VALUES('');
UPDATE records SET found_at=0;
"""
_PUT = """
INSERT INTO records(namespace, id, vector, metadata, data, found_at) VALUES(?, ?, ?, ?, ?, ?)
ON CONFLICT(namespace, id) DO UPDATE
SET vector=excluded.vector, metadata=excluded.metadata, data=excluded.data, found_at=excluded.found_at
"""
_COUNT = """
SELECT name, COUNT(id), COALESCE(SUM(found_at > ?), 0) FROM namespaces LEFT JOIN records ON namespace=name
GROUP BY name ORDER BY namespaces.place
"""
_BYTES_PER_NUMBER = 4  # as the hosted service counts


class Index:
    """Everything that is stored. Raises DataFolderError: the file holds vectors of another dimension or model."""

    def __init__(self, path: Path, dimension: int, model_name: str = "", delay_ms: int = 0) -> None:
        self.dimension, self.model_name, self._delay_seconds = dimension, model_name, delay_ms / 1_000
        self._database = sqlite3.connect(path)
        try:
            self._database.executescript(_TABLES)
            self._keep_shape(path)
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Close; the write-ahead log is folded into the file."""
        self._database.close()

    def namespaces(self) -> list[str]:
        """Return their names, in the order in which they were made."""
        return [name for (name,) in self._database.execute("SELECT name FROM namespaces ORDER BY place")]

    def records(self, namespace: str, where: str = "", *values: Any) -> Iterator[Record]:
        """Yield the records of a namespace in their order; none of one that is unknown."""
        query = f"SELECT id, vector, metadata, data FROM records WHERE namespace=? {where} ORDER BY place"  # noqa: S608 - constants
        for record_id, blob, metadata, data in self._database.execute(query, (namespace, *values)):
            yield Record(record_id, array("d", blob), json.loads(metadata), data)

    def fetch(self, namespace: str, ids: Iterable[str]) -> list[Record | None]:
        return [next(self.records(namespace, "AND id=?", each), None) for each in ids]

    def search(self, namespace: str, vector: Sequence[float], wanted: Filter | None) -> list[tuple[float, Record]]:
        """Return all records that match with their scores, best first; of equally similar ones the older."""
        sought, found = direction(vector), self.records(namespace, "AND found_at<=?", time.monotonic())
        hits = [(score(sought, direction(each.vector)), each) for each in found if not wanted or wanted(each.metadata)]
        return sorted(hits, key=lambda hit: -hit[0])

    def upsert(self, namespace: str, records: Iterable[Record]) -> None:
        """Store records, replacing those of the same id as a whole; the last one of an id counts."""
        found_at = time.monotonic() + self._delay_seconds if self._delay_seconds else 0
        rows = [
            (namespace, each.id, array("d", each.vector).tobytes(), json.dumps(each.metadata), each.data, found_at)
            for each in records
        ]
        with self._database as database:
            if rows:
                database.execute("INSERT OR IGNORE INTO namespaces(name) VALUES(?)", (namespace,))
            database.executemany(_PUT, rows)

    def delete(self, namespace: str, ids: Iterable[str]) -> int:
        """Remove records; return how many there were."""
        rows = [(namespace, each) for each in ids]
        with self._database as database:
            return max(0, database.executemany("DELETE FROM records WHERE namespace=? AND id=?", rows).rowcount)

    def reset(self, namespaces: Iterable[str]) -> None:
        """Empty namespaces; they stay, and an unknown one is not made."""
        with self._database as database:
            database.executemany("DELETE FROM records WHERE namespace=?", [(name,) for name in namespaces])

    def delete_namespace(self, name: str) -> None:
        if not name:
            raise unacceptable("The default namespace cannot be deleted; name another: /delete-namespace/<namespace>")
        with self._database as database:
            database.execute("DELETE FROM records WHERE namespace=?", (name,))
            if not database.execute("DELETE FROM namespaces WHERE name=?", (name,)).rowcount:
                raise ApiError(HTTPStatus.NOT_FOUND, f"Namespace {name} for the index local does not exist")

    def info(self) -> dict[str, Any]:
        """Return the figures of `/info` (vector-rest.md 4)."""
        rows = self._database.execute(_COUNT, (time.monotonic(),)).fetchall()
        total, pending = sum(count for _, count, _ in rows), sum(late for _, _, late in rows)
        kind = {"dimension": self.dimension, "similarityFunction": "COSINE"}
        return {
            "vectorCount": total - pending,
            "pendingVectorCount": pending,
            "indexSize": total * self.dimension * _BYTES_PER_NUMBER,
            **kind,
            "indexType": "DENSE",
            "denseIndex": {**kind, "embeddingModel": self.model_name},
            "namespaces": {
                name: {"vectorCount": count - late, "pendingVectorCount": late} for name, count, late in rows
            },
        }

    def _keep_shape(self, path: Path) -> None:
        """Note the shape of an empty index; compare it with that of one that has records."""
        shape = f"dimension {self.dimension}, embedder {self.model_name or 'none'}"
        with self._database as database:
            if not database.execute("SELECT EXISTS(SELECT 1 FROM records)").fetchone()[0]:
                database.execute("INSERT OR REPLACE INTO meta VALUES('shape', ?)", (shape,))
            (kept,) = database.execute("SELECT value FROM meta WHERE key='shape'").fetchone()
        if kept != shape:
            options = "start with the options of then or choose another --data"
            raise DataFolderError(f"{path.parent} holds vectors of {kept}, not of {shape}; {options}")
