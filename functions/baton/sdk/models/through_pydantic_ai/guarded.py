"""The HTTP clients that a provider's library makes: through the environment's proxies, bounded, and with plain errors.

Gateways answer 200 with an error in the body, or with a page for people; libraries then say what fields are missing,
or nothing. Invariant: such an answer fails in the server's own words. A client that a user has given stays as it is.
"""

import json
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import httpx
import httpx2
from pydantic_ai.models import Model

from baton_events.bounded import ACCEPTED
from baton_events.proxies import AsyncEnvironmentTransport
from baton_events.values.text import cut

_LIMITS = httpx.Limits(max_connections=1_000, max_keepalive_connections=100)  # as the library has them
_LOOKED_AT = ("application/json", "text/html")
_ANSWERS, _ERRORS, _BAD_GATEWAY = ("choices", "output", "content", "candidates"), range(400, 600), 502
_SHOWN_CHARS, _READ_CHARS = 200, 4_000
# What a request for a stream has in its body, in the writing of both libraries.
_STREAMS = b'"stream":true'


class NoAnswerError(httpx.TransportError):
    """A successful answer that is none of a model's provider."""


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
        client.event_hooks["response"].append(_check)
    return client


async def _check(response: Any) -> None:
    """Give an error in a successful answer its status; raise for what is no provider's answer.

    Raises NoAnswerError: it is a page, or it is whole where a stream was requested.
    """
    media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not response.is_success or media not in _LOOKED_AT:
        return
    text = (await response.aread()).decode("utf-8-sig", "replace").strip()
    try:
        body = json.loads(text)
    except ValueError:
        if media == "text/html":
            raise NoAnswerError(f"the server answered {response.status_code} with a page: {title_of(text)}") from None
        return
    if _STREAMS in response.request.content and isinstance(body, Mapping) and any(map(body.get, _ANSWERS)):
        raise NoAnswerError("the server answered whole, where a stream was requested; set STREAM_BATCH_BYTES=0")
    error = body.get("error") if isinstance(body, Mapping) and not any(map(body.get, _ANSWERS)) else None
    if error:
        code = str(error.get("code") if isinstance(error, Mapping) else "")
        response.status_code = int(code) if code.isdigit() and int(code) in _ERRORS else _BAD_GATEWAY


def title_of(page: str) -> str:
    """Return the title of a page for people, or the beginning of its text."""
    title = re.search(r"<title[^>]*>(.*?)</title>", page[:_READ_CHARS], re.IGNORECASE | re.DOTALL)
    text = title[1] if title else re.sub(r"<[^>]*>", " ", page[:_READ_CHARS])
    return cut(" ".join(text.split()), _SHOWN_CHARS)
