"""Long-term memory on Upstash Vector, through the official SDK: one client, time limits, a namespace for each tenant.

Invariant: every failure is a MemoryUnavailableError; the request may have been applied or not. The index makes its
vectors itself, from the entry's text. The SDK's own retries are off. No user's text becomes part of a filter: a session
is found by the digest of its id.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import httpx

from baton.sdk.distribution import require_extra
from baton.sdk.records.memory import MemoryEntry, MemoryHit
from baton.settings.settings import Settings
from baton_events.bounded import OWN_LIMIT_BYTES
from baton_events.errors import MemoryUnavailableError
from baton_events.ids import key_digest, root_of
from baton_events.proxies import AsyncEnvironmentTransport, reason_of, through

if TYPE_CHECKING:
    from upstash_vector import AsyncIndex

_V = TypeVar("_V")
# The service's error for a namespace without entries (vector-rest.md 3); it does not document whether it applies here.
_UNKNOWN_NAMESPACE = "Namespace .* does not exist"


class _UnknownNamespaceError(MemoryUnavailableError):
    """The tenant has no entries."""


class UpstashLongTermMemory:
    """`LongTermMemory` over one SDK client, made on first use."""

    def __init__(self, settings: Settings) -> None:
        require_extra("vector", "UPSTASH_VECTOR_REST_URL")
        self._settings = settings
        self._client: AsyncIndex | None = None

    def _index(self) -> "AsyncIndex":
        if self._client is None:
            self._client = _index_of(self._settings.vector_url, self._settings.vector_token)
        return self._client

    async def add(self, tenant: str, entry: MemoryEntry) -> None:
        """Store an entry; a repeated one replaces itself."""
        record = {"id": entry.id, "data": entry.text, "metadata": _metadata(tenant, entry)}
        await self._request(lambda index: index.upsert([record], namespace=_namespace(tenant)))

    async def search(
        self, tenant: str, text: str, limit: int, minimum_score: float, session_id: str = ""
    ) -> tuple[MemoryHit, ...]:
        """Find the entries nearest in meaning, best first; of one session where it is given."""
        try:
            hits = await self._request(
                lambda index: index.query(
                    data=text,
                    top_k=limit,
                    include_metadata=True,
                    include_data=True,
                    filter=_of_session(tenant, session_id) if session_id else "",
                    namespace=_namespace(tenant),
                )
            )
        except _UnknownNamespaceError:
            return ()
        found = (_hit(hit) for hit in hits)
        return tuple(hit for hit in found if hit is not None and hit.score >= minimum_score)

    async def delete(self, tenant: str, entry_ids: tuple[str, ...]) -> None:
        """Delete entries by id; unknown ones are no error."""
        if entry_ids:
            await self._delete(tenant, ids=list(entry_ids))

    async def forget_jobs(self, tenant: str, session_id: str, job_ids: Sequence[str]) -> None:
        """Delete a session's entries of jobs, and of those below them."""
        named = ", ".join(f"'{job_id}'" for job_id in job_ids)
        await self._delete(tenant, filter=f"{_of_session(tenant, session_id)} AND root IN ({named})")

    async def forget(self, tenant: str, session_id: str) -> int:
        """Delete all entries of a session; return their number."""
        return await self._delete(tenant, filter=_of_session(tenant, session_id))

    async def _delete(self, tenant: str, **which: Any) -> int:
        try:
            done = await self._request(lambda index: index.delete(namespace=_namespace(tenant), **which))
        except _UnknownNamespaceError:
            return 0
        return int(done.deleted)

    async def _request(self, request: "Callable[[AsyncIndex], Awaitable[_V]]") -> _V:
        from upstash_vector.errors import ClientError, UpstashError  # noqa: PLC0415 - as above

        where, limit_seconds = self._settings.vector_url, self._settings.vector_timeout_seconds
        try:
            async with asyncio.timeout(limit_seconds):
                return await request(self._index())
        except TimeoutError as error:
            message = f"no answer from the vector index at {where} within {limit_seconds} s{through(where)}"
            raise MemoryUnavailableError(message) from error
        except (UpstashError, ClientError) as error:
            if re.search(_UNKNOWN_NAMESPACE, str(error)):
                raise _UnknownNamespaceError(str(error)) from error
            hint = ": check UPSTASH_VECTOR_REST_TOKEN" if "Unauthorized" in str(error) else ""
            message = f"the vector index at {where} answered {str(error)[:300]!r}{hint}"
            raise MemoryUnavailableError(message) from error
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            message = f"no usable answer from the vector index at {where} ({reason_of(error)}): is it running?"
            raise MemoryUnavailableError(message) from error

    async def close(self) -> None:
        """Close connections; a later use opens them again."""
        if self._client is not None:
            client, self._client = self._client, None
            # The SDK has no close of its own; without this each client leaks its connection pool.
            await client._client.aclose()  # noqa: SLF001


def _index_of(url: str, token: str) -> "AsyncIndex":
    """Make the SDK's client. Its own constructor would choose a proxy, and fail where that cannot be used."""
    from upstash_vector import AsyncIndex  # noqa: PLC0415 - only functions that use memory load the SDK
    from upstash_vector.http import generate_headers  # noqa: PLC0415

    class Index(AsyncIndex):
        def __init__(self) -> None:
            self._url, self._retries, self._retry_interval = url, 0, 0.0
            self._headers = generate_headers(token, allow_telemetry=False)
            transport = AsyncEnvironmentTransport(limit_bytes=OWN_LIMIT_BYTES)
            self._client = httpx.AsyncClient(transport=transport, timeout=None)  # noqa: S113 - above

    return Index()


def _namespace(tenant: str) -> str:
    """Return a tenant's namespace, quoted: the SDK puts it into the path unchanged."""
    return f"tenant-{quote(tenant, safe='')}"


def _of_session(tenant: str, session_id: str) -> str:
    return f"sessionDigest = '{key_digest(tenant, session_id)}'"


def _metadata(tenant: str, entry: MemoryEntry) -> dict[str, Any]:
    return {
        "session": entry.session_id,
        "sessionDigest": key_digest(tenant, entry.session_id),
        "agent": entry.agent,
        "kind": entry.kind,
        "job": entry.job_id,
        "root": root_of(entry.job_id),
        "created": entry.created_ms,
    }


def _hit(hit: Any) -> MemoryHit | None:
    """Convert a hit; None for a record in the tenant's namespace that is none of ours."""
    known = hit.metadata or {}
    try:
        entry = MemoryEntry(
            id=str(hit.id),
            kind="note" if known["kind"] == "note" else "exchange",
            text=str(hit.data or ""),
            session_id=str(known["session"]),
            agent=str(known["agent"]),
            job_id=str(known["job"]),
            created_ms=int(known["created"]),
        )
    except (KeyError, ValueError, TypeError):
        return None
    return MemoryHit(entry, float(hit.score))
