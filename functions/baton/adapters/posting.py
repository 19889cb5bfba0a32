"""The same request again and again, but for its body: posts to one address, over whatever speaks HTTP."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import httpx

from baton.adapters.requesting import whole_answer

Headers = Sequence[tuple[bytes, bytes]]


class Posting(Protocol):
    """Posts to one address."""

    async def __call__(self, content: bytes, echo: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        """Post `content` with one header more.

        Returns the answer's body, whatever its status, and what that header says in it; empty: nothing.

        Raises:
            httpx.HTTPError: what went wrong.
        """
        ...


def posting(http: httpx.AsyncBaseTransport, url: httpx.URL, headers: Headers) -> Posting:
    """Posts to this address with these headers, in the transport's own way if it has one."""
    own: Callable[[httpx.URL, Headers], Posting] = getattr(http, "posting", partial(_Plain, http))
    return own(url, headers)


class _Plain:
    """By httpx's requests and responses."""

    def __init__(self, http: httpx.AsyncBaseTransport, url: httpx.URL, headers: Headers) -> None:
        self._http = http
        self._url = url
        self._headers = headers

    async def __call__(self, content: bytes, echo: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        """Post it."""
        request = httpx.Request("POST", self._url, headers=[*self._headers, echo], content=content)
        response = await whole_answer(self._http, request)
        return response.content, response.headers.get(echo[0].decode(), "").encode()
