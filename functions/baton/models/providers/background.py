"""Background mode of a provider: it takes a request at once, and has the answer when it is asked again.

So does the Responses API of OpenAI. Invariant: each request here is short, whatever the model thinks. A connection that
is lost is a response without a status. Must not: read an answer, which pydantic-ai's class does.
"""

import json
import ssl
from functools import lru_cache
from urllib.parse import quote

import httpx

from baton.sdk.records import HttpRequest, HttpResponse

_SECONDS = 20.0


@lru_cache(1)
def _trust() -> ssl.SSLContext:
    """What every connection trusts: to make it takes longer than a look."""
    return httpx.create_ssl_context()


async def _sent(method: str, url: str, request: HttpRequest, number: int, body: str = "") -> HttpResponse:
    try:
        async with httpx.AsyncClient(timeout=_SECONDS, verify=_trust()) as http:
            response = await http.request(method, url, headers=request.headers, content=body)
    except httpx.HTTPError as error:
        return HttpResponse(number, 0, {}, (str(error) or type(error).__name__).encode())
    headers = {name.lower(): text for name, text in response.headers.items()}
    return HttpResponse(number, response.status_code, headers, response.content)


class Responses:
    """The Responses API of OpenAI: each method is one short request."""

    async def begun(self, request: HttpRequest, number: int) -> HttpResponse:
        """Have the provider begin; `number`: which request of the attempt it is."""
        body = json.loads(request.body) | {"background": True, "store": True}
        return await _sent("POST", request.url, request, number, json.dumps(body))

    async def looked_at(self, request: HttpRequest, response_id: str, number: int) -> HttpResponse:
        """Ask how far a response is, with the headers of its request."""
        return await _sent("GET", f"{request.url}/{quote(response_id, safe='')}", request, number)

    async def stopped(self, request: HttpRequest, response_id: str, number: int) -> HttpResponse:
        """Have the provider stop."""
        return await _sent("POST", f"{request.url}/{quote(response_id, safe='')}/cancel", request, number)


RESPONSES = Responses()
