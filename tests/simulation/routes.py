"""The site's hundred routes are made anew for each world; what is worked out of a route's path is the same in each."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.routing import Route, request_response

_BARE = {"endpoint", "app"}  # what differs between two worlds
_KNOWN: dict[tuple[Any, ...], dict[str, Any]] = {}
_make: Callable[..., None] = Route.__init__


def _quickly(route: Route, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
    methods = options.get("methods")
    key = (path, tuple(methods) if methods else None, *(item for item in options.items() if item[0] != "methods"))
    known = _KNOWN.get(key)
    if known is None:
        _make(route, path, endpoint, **options)
        if route.app is not endpoint:  # a function: an app by itself is used as it is
            _KNOWN[key] = {name: value for name, value in vars(route).items() if name not in _BARE}
        return
    vars(route).update(known, endpoint=endpoint, app=request_response(endpoint))


@contextmanager
def routes_made_quickly() -> Iterator[None]:
    """While this lasts, a route is a copy of the one that another world has for the same path."""
    setattr(Route, "__init__", _quickly)  # noqa: B010 - a constructor is assigned to on purpose
    try:
        yield
    finally:
        setattr(Route, "__init__", _make)  # noqa: B010 - as above
