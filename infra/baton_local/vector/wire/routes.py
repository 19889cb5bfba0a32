"""Which handler answers which operation; one line for each.

The operation is the path's first segment, the namespace all the rest, percent-decoded (vector-rest.md 1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from baton_local.vector.core.errors import malformed, unknown
from baton_local.vector.wire import queries, records
from baton_local.vector.wire.call import Handler

_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Route:
    """What answers, whether it changes anything, and whether it works in a namespace of the path."""

    handler: Handler
    changes: bool = False
    namespaced: bool = True


ROUTES: Mapping[str, Route] = MappingProxyType(
    {
        "upsert": Route(records.upsert, changes=True),
        "upsert-data": Route(records.upsert_data, changes=True),
        "update": Route(records.update, changes=True),
        "delete": Route(records.delete, changes=True),
        "query": Route(queries.query),
        "query-data": Route(queries.query_data),
        "resumable-query": Route(queries.resumable_query),
        "resumable-query-data": Route(queries.resumable_query_data),
        "resumable-query-next": Route(queries.resumable_query_next, namespaced=False),
        "resumable-query-end": Route(queries.resumable_query_end, namespaced=False),
        "fetch": Route(records.fetch),
        "range": Route(records.scan),
        "random": Route(records.random),
        "info": Route(records.info, namespaced=False),
        "list-namespaces": Route(records.list_namespaces, namespaced=False),
        "reset": Route(records.reset, changes=True),
        "delete-namespace": Route(records.delete_namespace, changes=True),
        "rename-namespace": Route(records.rename_namespace, changes=True, namespaced=False),
    }
)


def find_route(raw_path: bytes) -> tuple[str, Route, str]:
    """Return the operation, its route, and the namespace; 404 if there is none."""
    operation, _, rest = raw_path.lstrip(b"/").partition(b"/")
    name = operation.decode("latin-1")
    route = ROUTES.get(name)
    if route is None or (rest and not route.namespaced):
        shown = raw_path[:_SHOWN_CHARACTERS].decode("latin-1")
        raise unknown(f"{shown} does not exist; there are {', '.join(f'/{known}' for known in ROUTES)}")
    try:
        return name, route, unquote_to_bytes(rest).decode()
    except UnicodeDecodeError:
        raise malformed(f"namespace: {rest[:_SHOWN_CHARACTERS]!r} is not percent-encoded UTF-8") from None
