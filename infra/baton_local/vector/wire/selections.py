"""What a body selects: by ids, by a prefix or by a filter; and what it wants to see of it."""

from baton_local.vector.core.errors import malformed
from baton_local.vector.core.filter.parser import parse_filter
from baton_local.vector.core.filter.syntax import Filter
from baton_local.vector.core.filter.tokens import FilterError
from baton_local.vector.core.record import Include
from baton_local.vector.core.selection import ByFilter, ByIds, ByPrefix
from baton_local.vector.wire.fields import Body, flag, record_id, required_text, shown, text

_SHOWN_CHARACTERS = 200


def filter_of(body: Body) -> Filter | None:
    """The body's filter; None if it is absent or empty."""
    given = text(body, "filter") or ""
    try:
        return parse_filter(given)
    except FilterError as error:
        raise malformed(f"filter: {given[:_SHOWN_CHARACTERS]!r} {error}") from error


def by_filter(body: Body) -> ByFilter:
    """What to delete by a filter, which must not be blank: everything would go."""
    wanted = filter_of(body)
    if wanted is None:
        raise malformed("filter: is blank, which would select everything; use /reset to delete that")
    return ByFilter(wanted)


def ids_or_prefix(body: Body, *others: str) -> ByIds | ByPrefix | None:
    """What a body selects, unless it is by one of the others; exactly one way must be there, and an empty text is none.

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
    """Which parts of the records are wanted."""
    return Include(flag(body, "includeVectors"), flag(body, "includeMetadata"), flag(body, "includeData"))
