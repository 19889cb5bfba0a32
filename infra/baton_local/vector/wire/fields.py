"""Reading the fields of a JSON body: texts and numbers, vectors, metadata, and what a body selects.

Vectors are checked as a whole, since element by element would take most of a request's time. Metadata must be a JSON
object that is small, not too deep, and can be written out again. Invariant: null counts as absent, unknown fields are
let pass, and a value of the wrong type is a 400 that names it.
"""

import json
from array import array
from collections.abc import Mapping
from typing import Any

from baton_local.vector.core.errors import malformed, unacceptable
from baton_local.vector.core.filter.parser import FilterError, parse_filter
from baton_local.vector.core.filter.syntax import Filter
from baton_local.vector.core.record import Include, Metadata, Vector
from baton_local.vector.core.selection import ByFilter, ByIds, ByPrefix
from baton_local.vector.settings import Limits

_SHOWN_CHARACTERS = 60

Body = Mapping[str, Any]


def an_object(value: Any, what: str = "body") -> Body:
    """Return a JSON object."""
    if not isinstance(value, dict):
        raise malformed(f"{what}: must be a JSON object, not {shown(value)}")
    return value


def text(body: Body, name: str) -> str | None:
    """Return a string that UTF-8 can express."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise malformed(f"{name}: must be a string, not {shown(value)}")
    return _encodable(value, name)


def required_text(body: Body, name: str) -> str:
    """Return the text, which must be there."""
    value = text(body, name)
    if value is None:
        raise malformed(f"{name}: is missing")
    return value


def flag(body: Body, name: str) -> bool:
    """Return a boolean; absent means false."""
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise malformed(f"{name}: must be true or false, not {shown(value)}")


def positive(body: Body, name: str, default: int | None = None) -> int:
    """Return a whole number above zero."""
    value = body.get(name, default)
    if value is None:
        value = default
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise malformed(f"{name}: must be a whole number above 0, not {shown(value)}")
    return value


def record_id(value: Any) -> str:
    """Return an id; a number is taken as its decimal text (vector-rest.md 2)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise malformed(f"id: must be a string, not {shown(value)}")
    if not value:
        raise unacceptable("id: must not be empty")
    return _encodable(value, "id")


def shown(value: Any) -> str:
    """Return a value as an error message shows it."""
    if value is None:
        return "null"
    kind = type(value).__name__.replace("dict", "object").replace("list", "array")
    if isinstance(value, dict | list):
        return f"an {kind}"
    whole = repr(value)
    return whole if len(whole) <= _SHOWN_CHARACTERS else f"{whole[:_SHOWN_CHARACTERS]}..."


def _encodable(value: str, name: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise malformed(f"{name}: has half a surrogate pair, which is no character") from None
    return value


_LARGEST_SINGLE = 3.4028235e38  # the hosted service keeps single precision (vector-rest.md 2)


def vector_of(value: Any, dimension: int) -> Vector:
    """Return the vector that a JSON array writes; null is one without numbers."""
    numbers = [] if value is None else value
    if not isinstance(numbers, list) or not set(map(type, numbers)) <= {int, float}:
        raise malformed(f"vector: must be an array of numbers, not {shown(value)}")
    if len(numbers) != dimension:
        raise unacceptable(f"Invalid vector dimension: {len(numbers)}, expected: {dimension}")
    largest = max(map(abs, numbers))
    if largest > _LARGEST_SINGLE:
        raise unacceptable(f"vector: {shown(largest)} is beyond what single precision can hold")
    return Vector.of(array("d", numbers))


def refuse_other_kinds(body: Body) -> None:
    """Refuse sparse and hybrid vectors: this index is dense (vector-rest.md, scope)."""
    for name in ("sparseVector", "weightingStrategy", "fusionAlgorithm", "queryMode"):
        if body.get(name) is not None:
            raise unacceptable(f"{name}: this is a dense index; it takes nothing that belongs to sparse or hybrid ones")


def check_metadata(metadata: Metadata, limits: Limits) -> None:
    """Refuse what cannot be stored."""
    if _is_deeper(metadata, limits.max_metadata_depth):
        raise unacceptable(f"metadata: has more than {limits.max_metadata_depth} objects and arrays inside each other")
    try:
        size_bytes = len(json.dumps(metadata, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass"))
    except ValueError:  # such as 1e999
        raise malformed("metadata: has a number that is not finite") from None
    if size_bytes > limits.max_metadata_bytes:
        raise unacceptable(f"metadata: {size_bytes} bytes are over the limit of {limits.max_metadata_bytes}")


def _is_deeper(value: Any, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return depth == 0 or any(_is_deeper(one, depth - 1) for one in inner)


_SHOWN_OF_FILTER = 200


def filter_of(body: Body) -> Filter | None:
    """Return the body's filter; None if it is absent or empty."""
    given = text(body, "filter") or ""
    try:
        return parse_filter(given)
    except FilterError as error:
        raise malformed(f"filter: {given[:_SHOWN_OF_FILTER]!r} {error}") from error


def by_filter(body: Body) -> ByFilter:
    """Return what to delete by a filter, which must not be blank: everything would go."""
    wanted = filter_of(body)
    if wanted is None:
        raise malformed("filter: is blank, which would select everything; use /reset to delete that")
    return ByFilter(wanted)


def ids_or_prefix(body: Body, *others: str) -> ByIds | ByPrefix | None:
    """Return the body's selection unless another way is used; exactly one must be given, an empty text is none.

    An empty prefix or filter would select everything, which nobody means when deleting; `/reset` does that.
    """
    ways = ("ids", "prefix", *others)
    given = [name for name in ways if body.get(name) not in (None, "")]
    if len(given) != 1:
        raise malformed(f"body: must have one of {', '.join(ways)}, not {' and '.join(given) or 'none of them'}")
    if given == ["prefix"]:
        return ByPrefix(required_text(body, "prefix"))
    if given == ["ids"]:
        ids = body["ids"]
        if not isinstance(ids, list):
            raise malformed(f"ids: must be an array, not {shown(ids)}")
        return ByIds(tuple(record_id(one) for one in ids))
    return None


def include_of(body: Body) -> Include:
    """Return which parts of the records are wanted."""
    return Include(flag(body, "includeVectors"), flag(body, "includeMetadata"), flag(body, "includeData"))
