"""One client of the official QStash SDK, made on first use; its failures become exceptions of ours.

The SDK's own retries are off: they take up to half a minute. Its HTTP client is one of ours, which shares the process's
TLS context: the SDK's constructors would make one for each client.
"""

import asyncio
import json
from collections.abc import Awaitable
from functools import lru_cache
from typing import Any, TypeVar

import httpx
from qstash import AsyncQStash
from qstash.http import HttpMethod, raise_for_non_ok_status

from baton.settings.settings import Settings, require
from baton.store.transport.http import requesting
from baton.store.transport.http_transport import http_transport
from baton_events.publisher import Sdk, SdkHttp, answer_of

_Answer = TypeVar("_Answer")


# There are few destinations, and parsing an address takes as long as the rest of a request.
_address = lru_cache(128)(httpx.URL)


class _Http(SdkHttp):
    """The SDK's, without httpx's client: that looks for cookies and redirects."""

    def __init__(self, token: str, base_url: str, transport: httpx.AsyncBaseTransport) -> None:
        super().__init__(token, base_url, transport)
        self._requested = requesting(transport)

    async def request(self, *, path: str, method: HttpMethod, parse_response: bool = True, **options: Any) -> Any:
        headers = {"Authorization": options.get("token") or self._token, **(options.get("headers") or {})}
        url = (options.get("base_url") or self._base_url) + path
        content, params = options.get("body") or b"", options.get("params")
        address = _address(url).copy_merge_params(params) if params else _address(url)
        sent = content.encode() if isinstance(content, str) else content
        answer = await self._requested(method, address, headers, sent, raise_for_non_ok_status)
        return json.loads(answer) if parse_response else answer.decode()


class QStashClient:
    """A connection to the queue."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: AsyncQStash | None = None
        self._http: httpx.AsyncBaseTransport | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def sdk(self) -> AsyncQStash:
        """The SDK's client, for the running event loop: connections belong to the loop that opened them."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            require(self._settings, "QSTASH_TOKEN")
            self._http, self._loop = http_transport(self._settings, self._settings.qstash_url), loop
            self._client = Sdk(_Http(self._settings.qstash_token, self._settings.qstash_url, self._http))
        return self._client

    async def request(self, request: Awaitable[_Answer], topic: str = "") -> _Answer:
        """Return the answer of a request; `topic`: the subject of a 404.

        Raises TopicNotFoundError, MessageNotFoundError, QueueUnauthorizedError, QueueUnreachableError, PublishError.
        """
        return await answer_of(request, self._settings.qstash_url, self._settings.queue_timeout_seconds, topic)

    async def close(self) -> None:
        """Close connections; a later use opens them again."""
        if self._http is not None:
            http, self._http, self._client = self._http, None, None
            await http.aclose()
