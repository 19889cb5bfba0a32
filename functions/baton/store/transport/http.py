"""Requests by their parts, and repeated requests that differ only in their body, over any HTTP transport.

A transport that supports it takes the parts directly, without httpx's objects.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Protocol, cast

import httpx

Refuse = Callable[[httpx.Response], None]
Requesting = Callable[[str, httpx.URL, Mapping[str, str], bytes, Refuse], Awaitable[bytes]]


def requesting(http: httpx.AsyncBaseTransport) -> Requesting:
    """Return a function that sends method, address, headers and body, and returns the answer's body unparsed.

    Its last argument receives an answer that is no success, and may raise. Raises httpx.HTTPError: the transport
    failed.
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
    response = await whole_answer(http, httpx.Request(method, url, headers=headers, content=content))
    if not response.is_success:
        refuse(response)
    return response.content


async def whole_answer(http: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
    response = await http.handle_async_request(request)
    try:
        await response.aread()
    finally:
        await response.aclose()
    return response


Headers = Sequence[tuple[bytes, bytes]]


class Answered(Protocol):
    """An answer, whatever its status."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: list[bytes]


# Posts content to one address, with one more header; raises httpx.HTTPError where the transport failed.
Posting = Callable[[bytes, tuple[bytes, bytes]], Awaitable[Answered]]


def posting(http: httpx.AsyncBaseTransport, url: httpx.URL, headers: Headers) -> Posting:
    """Make a function that posts to this address with these headers, in the transport's own way if it has one."""
    own: Callable[[httpx.URL, Headers], Posting] = getattr(http, "posting", partial(_Plain, http))
    return own(url, headers)


class _Plain:
    """Posts by httpx's requests and responses."""

    def __init__(self, http: httpx.AsyncBaseTransport, url: httpx.URL, headers: Headers) -> None:
        self._http, self._url, self._headers = http, url, headers

    async def __call__(self, content: bytes, more: tuple[bytes, bytes]) -> Answered:
        request = httpx.Request("POST", self._url, headers=[*self._headers, more], content=content)
        response = await whole_answer(self._http, request)
        return cast(
            "Answered",
            SimpleNamespace(status=response.status_code, headers=response.headers.raw, body=[response.content]),
        )
