"""Background mode of a provider: it accepts a request at once, and has the answer on a later request.

The Responses API of OpenAI works so. Invariant: each request here is short, however long the model thinks. A lost
connection is a response without a status. Must not: read an answer, since pydantic-ai's class does that.
"""

import asyncio
import json
from urllib.parse import quote

import httpx

from baton.sdk.records.transcript import HttpRequest, HttpResponse
from baton_events.proxies import AsyncEnvironmentTransport


class Responses:
    """The Responses API of OpenAI: each method is one short request, of `seconds` at most."""

    def __init__(self, seconds: float = 20.0) -> None:
        self._seconds = seconds

    async def begun(self, request: HttpRequest, number: int) -> HttpResponse:
        """Start the provider's work; `number`: the request's number within the attempt."""
        body = json.loads(request.body) | {"background": True, "store": True}
        return await self._sent("POST", request.url, request, number, json.dumps(body))

    async def polled(self, request: HttpRequest, response_id: str, number: int) -> HttpResponse:
        """Read the state of a response, with the headers of its request."""
        return await self._sent("GET", f"{request.url}/{quote(response_id, safe='')}", request, number)

    async def stopped(self, request: HttpRequest, response_id: str, number: int) -> HttpResponse:
        """Stop the provider's work."""
        return await self._sent("POST", f"{request.url}/{quote(response_id, safe='')}/cancel", request, number)

    async def _sent(self, method: str, url: str, request: HttpRequest, number: int, body: str = "") -> HttpResponse:
        transport = AsyncEnvironmentTransport()
        try:
            # Of the whole exchange: an answer may come byte by byte.
            async with asyncio.timeout(self._seconds), httpx.AsyncClient(timeout=None, transport=transport) as http:  # noqa: S113 - the line's own
                response = await http.request(method, url, headers=request.headers, content=body)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return HttpResponse(number, 0, {}, (str(error) or type(error).__name__).encode())
        headers = {name.lower(): text for name, text in response.headers.items()}
        return HttpResponse(number, response.status_code, headers, response.content)


RESPONSES = Responses()
