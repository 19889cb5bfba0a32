"""A provider's request that another program sends, and the reading of its answer.

pydantic-ai's class makes the request and reads the answer, as in a direct call: its HTTP client has a transport that
keeps the request, or returns the answer. Invariant: nothing here opens a connection.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from pydantic_ai.exceptions import UserError
from pydantic_ai.models import infer_model
from pydantic_ai.providers import Provider, infer_provider_class

from baton.sdk.models.model import ModelAnswer, ModelError, ModelRequest
from baton.sdk.models.through_pydantic_ai.client import ProviderClient
from baton.sdk.models.through_pydantic_ai.errors import model_error
from baton.sdk.records.transcript import HttpRequest, HttpResponse

# Headers of a single connection. The program that sends the request sets its own.
_OWN_HEADERS = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding"})
# A compressed answer could not be told from one that was decompressed on its way.
_PLAIN = {"accept-encoding": "identity"}


class _Exchange:
    """One request, and its answer once there is one."""

    def __init__(self, response: HttpResponse | None = None) -> None:
        self.request: HttpRequest | None = None
        self.response = response


_EXCHANGE: ContextVar[_Exchange] = ContextVar("baton_exchange")


@contextmanager
def _exchanged(exchange: _Exchange) -> Iterator[None]:
    token = _EXCHANGE.set(exchange)
    try:
        yield
    finally:
        _EXCHANGE.reset(token)


def _client(library: Any) -> Any:
    """Make an HTTP client of httpx2 or httpx, which have the same classes."""

    class Transport(library.AsyncBaseTransport):  # type: ignore[misc]
        async def handle_async_request(self, request: Any) -> Any:
            exchange, content = _EXCHANGE.get(), await request.aread()
            response = exchange.response
            if response is None:
                headers = {name: text for name, text in request.headers.items() if name not in _OWN_HEADERS}
                exchange.request = HttpRequest(str(request.url), headers | _PLAIN, content.decode())
                raise library.ConnectError("somebody else sends this request", request=request)
            if not response.status:
                reason = response.body.decode(errors="replace")
                raise library.ConnectError(f"the request was not sent: {reason}", request=request)
            return library.Response(response.status, headers=response.headers, content=response.body, request=request)

    return library.AsyncClient(transport=Transport(), timeout=None)


def _provider(name: str) -> Provider[Any]:
    """Make the provider with that client; some libraries take only a client of httpx."""
    make: Any = infer_provider_class(name)  # each takes a client
    try:
        made: Provider[Any] = make(http_client=_client(importlib.import_module("httpx2")))
    except (TypeError, AssertionError):
        made = make(http_client=_client(importlib.import_module("httpx")))
    return made


class OffloadedClient(ProviderClient):
    """A model whose requests another program sends. Raises as `ProviderClient`."""

    def __init__(self, name: str) -> None:
        try:
            super().__init__(name, infer_model(name, _provider))
        except UserError as error:
            raise ModelError(f"model {name!r}: {error.message}", retryable=False) from error

    async def request_for(self, request: ModelRequest) -> HttpRequest:
        exchange = _Exchange()
        try:
            with _exchanged(exchange):
                await self._response(request)
        except Exception as error:
            if exchange.request is None:
                raise self._hinting(model_error(error)) from error
        assert exchange.request is not None, "a model asks by a request"
        return exchange.request

    async def answer_of(self, request: ModelRequest, response: HttpResponse) -> ModelAnswer:
        with _exchanged(_Exchange(response)):
            return await self.answer(request)
