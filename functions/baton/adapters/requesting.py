"""One request by its parts, over whatever speaks HTTP: without httpx's objects where a transport can do so."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import cast

import httpx

Refuse = Callable[[httpx.Response], None]
Requesting = Callable[[str, httpx.URL, Mapping[str, str], bytes, Refuse], Awaitable[bytes]]


def requesting(http: httpx.AsyncBaseTransport) -> Requesting:
    """What asks with method, address, headers and body, and returns the body of the answer, which is not looked at.

    An answer that is no success goes to the last argument before, which may raise.

    Raises:
        httpx.HTTPError: what went wrong on the way.
    """
    return cast("Requesting", getattr(http, "request", partial(_plainly, http)))


async def _plainly(
    http: httpx.AsyncBaseTransport,
    method: str,
    url: httpx.URL,
    headers: Mapping[str, str],
    content: bytes,
    refuse: Refuse,
) -> bytes:
    """By httpx's requests and responses."""
    response = await whole_answer(http, httpx.Request(method, url, headers=headers, content=content))
    if not response.is_success:
        refuse(response)
    return response.content


async def whole_answer(http: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
    """The answer, read to its end."""
    response = await http.handle_async_request(request)
    try:
        await response.aread()
    finally:
        await response.aclose()
    return response
