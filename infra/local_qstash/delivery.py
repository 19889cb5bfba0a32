"""Sends attempts over HTTP: keep-alive, a time limit, bounded answers, no redirects (qstash.md 8).

Invariant: every attempt ends within its time limit and gives a result; nothing a destination does raises from here.
"""

import asyncio

import aiohttp
from yarl import URL

from infra.local_qstash.core.attempt import AttemptResult, OutgoingRequest
from infra.local_qstash.core.headers import canonical_map

# Shorter than what servers commonly allow (5 s and more), so that we rarely write into a connection being closed.
_KEEP_ALIVE_SECONDS = 2.0
# A host that drops packets is given up sooner than one that thinks about its answer.
_CONNECT_SECONDS = 30.0
_CHUNK_BYTES = 65_536
# Nothing is added to what the message says.
_NOT_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class HttpDelivery:
    """The delivery function of a running server; how many at once is decided by the state machine."""

    def __init__(self, *, max_response_bytes: int) -> None:
        self._max_response_bytes = max_response_bytes
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_SECONDS, ttl_dns_cache=10),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_NOT_ADDED,
            auto_decompress=False,  # what is kept is what was sent
            trust_env=False,
        )

    async def __call__(self, request: OutgoingRequest) -> AttemptResult:
        """Make one attempt."""
        seconds = request.timeout_ms / 1_000
        try:
            async with asyncio.timeout(seconds):
                return await self._send(request)
        except aiohttp.ServerTimeoutError:
            return AttemptResult(error=f"timeout: no connection within {_CONNECT_SECONDS:g}s")
        except TimeoutError:
            return AttemptResult(error=f"timeout: no complete answer within {seconds:g}s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return AttemptResult(error=f"{type(error).__name__}: {error}"[:1_000])

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def _send(self, request: OutgoingRequest) -> AttemptResult:
        response = await self._session.request(
            request.method,
            URL(request.url, encoded=True),  # as given: normalising would break the signature's `sub`
            headers=request.headers,
            data=request.body or None,
            allow_redirects=False,
        )
        try:
            body = await self._read(response)
            pairs = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers)
            return AttemptResult(response.status, canonical_map(pairs), body)
        finally:
            response.release()  # closes the connection if the body was not read to its end

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        if response.content_length is not None and response.content_length <= self._max_response_bytes:
            return await response.read()
        parts, size_bytes = [], 0
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            parts.append(chunk)
            size_bytes += len(chunk)
            if size_bytes >= self._max_response_bytes:
                response.close()
                break
        return b"".join(parts)[: self._max_response_bytes]
