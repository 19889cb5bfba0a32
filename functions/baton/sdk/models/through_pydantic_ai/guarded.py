"""The HTTP clients that a provider's library makes: through the environment's proxies, with bounded answers.

Invariant: a client that a user has given stays as it is.
"""

from functools import partial
from typing import Any

import httpx
import httpx2
from pydantic_ai.models import Model

from baton_events.bounded import ACCEPTED
from baton_events.proxies import AsyncEnvironmentTransport

_LIMITS = httpx.Limits(max_connections=1_000, max_keepalive_connections=100)  # as the library has them


def guard(model: Model) -> None:
    """Guard the client that the library has made for this model, and those that it makes for other event loops."""
    provider: Any = model.provider
    own, make = (getattr(provider, name, None) for name in ("_own_http_client", "_http_client_factory"))
    if own is not None:
        _guarded(own)
    if make is not None and not isinstance(make, _Guarding):
        provider._http_client_factory = _Guarding(make)  # noqa: SLF001 - it has no public door


class _Guarding(partial[Any]):
    """Makes clients as the library does, and guards them."""

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return _guarded(super().__call__(*args, **keywords))


def _guarded(client: Any) -> Any:
    if not isinstance(client._transport, AsyncEnvironmentTransport):  # noqa: SLF001 - as above
        library = httpx if isinstance(client, httpx.AsyncClient) else httpx2
        client._transport = AsyncEnvironmentTransport(_LIMITS, library=library)  # noqa: SLF001
        client._mounts = {}  # noqa: SLF001 - the library's choice of proxies
        client.headers["accept-encoding"] = ACCEPTED
    return client
