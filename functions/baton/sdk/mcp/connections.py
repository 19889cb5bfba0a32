"""Connections to MCP servers: one for each server and identity while an invocation lasts, closed at its end.

Invariant: a connection lives in a task of its own, as the SDK requires, so any call may use it and none can end it. A
lost connection is not used again. Must not: retry, or import the SDK before it is needed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from baton.sdk.mcp.mcp_server import McpContext, McpServer

if TYPE_CHECKING:
    from mcp import Client
    from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

_CLOSING_SECONDS = 2.0
# The SDK gives a program 2 s to end by itself and 2 s more after SIGTERM: cut earlier, it would never end.
_ENDING_SECONDS = 8.0
_P = TypeVar("_P")
_T = TypeVar("_T")


class _Connection:
    """One connection, open until it is closed."""

    def __init__(self, server: McpServer, context: McpContext) -> None:
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()
        self._seconds = _ENDING_SECONDS if server.command else _CLOSING_SECONDS
        self._task = asyncio.create_task(self._live(server, context))

    async def _live(self, server: McpServer, context: McpContext) -> None:
        try:
            async with _connected(server, context) as client:
                self._ready.set_result(client)
                await self._over.wait()
        except Exception as error:  # noqa: BLE001 - raised where the connection is used
            if not self._ready.done():
                self._ready.set_exception(error)
                self._ready.exception()  # retrieved, also where no caller waits any more

    async def client(self) -> "Client":
        """Wait until it is open."""
        return await asyncio.shield(self._ready)

    async def close(self) -> None:
        """Close the connection; one that does not close in time is cut."""
        self._over.set()
        await asyncio.wait({self._task}, timeout=self._seconds if self._ready.done() else _CLOSING_SECONDS)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=self._seconds)


class _Shared:
    def __init__(self) -> None:
        self._open: dict[tuple[Any, ...], _Connection] = {}
        self._lost = list[_Connection]()

    @asynccontextmanager
    async def client(self, server: McpServer, context: McpContext) -> "AsyncIterator[Client]":
        """Yield the connection to this server; after an error or a time-out the next call gets another one."""
        key = (id(server), *server.identity(context))
        connection = self._open.get(key)
        if connection is None:
            connection = self._open[key] = _Connection(server, context)
        try:
            yield await connection.client()
        except BaseException:
            if self._open.get(key) is connection:
                self._lost.append(self._open.pop(key))
            raise

    async def close(self) -> None:
        await asyncio.gather(*(each.close() for each in (*self._open.values(), *self._lost)))


_SHARED: ContextVar[_Shared | None] = ContextVar("baton_mcp_connections", default=None)


@asynccontextmanager
async def shared() -> AsyncIterator[None]:
    """Share connections until the end of the block."""
    connections = _Shared()
    token = _SHARED.set(connections)
    try:
        yield
    finally:
        _SHARED.reset(token)
        await connections.close()


def sharing(handle: Callable[[_P], Awaitable[_T]]) -> Callable[[_P], Awaitable[_T]]:
    """Wrap a handler of invocations, each of which shares its connections."""

    async def handled(given: _P) -> _T:
        async with shared():
            return await handle(given)

    return handled


@asynccontextmanager
async def connection(server: McpServer, context: McpContext) -> "AsyncIterator[Client]":
    """Yield the invocation's connection to the server; where none is shared, one for this block."""
    connections = _SHARED.get()
    if connections is not None:
        async with connections.client(server, context) as client:
            yield client
        return
    async with _connected(server, context) as client:
        yield client


@asynccontextmanager
async def _connected(server: McpServer, context: McpContext) -> "AsyncIterator[Client]":
    from mcp import Client, StdioServerParameters  # noqa: PLC0415 - only agents with MCP servers load the SDK
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415
    from mcp_types import ElicitRequestParams, ElicitResult  # noqa: PLC0415

    from baton.sdk.mcp.http_client import guarded_client, host_of  # noqa: PLC0415
    from baton.sdk.mcp.lines import ENCODING  # noqa: PLC0415
    from baton.sdk.mcp.tasks import TasksExtension  # noqa: PLC0415
    from baton_events.bounded import HTTP_LIMIT_BYTES  # noqa: PLC0415
    from baton_events.values.durations import plain_seconds  # noqa: PLC0415

    async def nobody_waits(_context: Any, _params: ElicitRequestParams) -> ElicitResult:
        """Cancel a question for which a server keeps its request open (revision 2025-11-25): people take days."""
        return ElicitResult(action="cancel")

    declared: dict[str, Any] = {"elicitation_callback": nobody_waits, "extensions": [TasksExtension()], "cache": None}
    if server.command:
        program, *arguments = server.command
        started = StdioServerParameters(command=program, args=arguments, encoding=ENCODING)
        async with Client(started, **declared) as client:
            yield _ours(client)
        return
    issuers = (host_of(server.auth.issuer), *server.auth.hosts) if server.auth else ()
    hosts = (host_of(server.url), *issuers)
    http = guarded_client(server.headers_for(context), _auth(server), hosts, plain_seconds(server.timeout_seconds))
    transport = streamable_http_client(server.url, http_client=http, max_sse_event_size=HTTP_LIMIT_BYTES)
    async with http, Client(transport, **declared) as client:
        yield _ours(client)


def _ours(client: "Client") -> "Client":
    """Let results be checked by us, and odd ones come in the protocol's form."""
    from baton.sdk.mcp.odd_results import mended  # noqa: PLC0415 - it imports the SDK

    session: Any = client.session
    requests = session._dispatcher  # noqa: SLF001 - no other place has a result as it was sent
    send, notify = requests.send_raw_request, requests._dispatch_notification  # noqa: SLF001

    async def send_raw_request(method: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return mended(method, await send(method, *args, **kwargs), session.protocol_version or "")

    def dispatch(*notification: Any) -> None:
        with suppress(OverflowError):  # of a progress that is no float; else it ends the connection
            notify(*notification)

    requests._dispatch_notification = dispatch  # noqa: SLF001
    requests.send_raw_request, session.validate_tool_result = send_raw_request, _by_ourselves
    return client


async def _by_ourselves(_name: str, _result: Any) -> None:
    """Leave a result's schema to us: the SDK would run its patterns without a limit."""


def _auth(server: McpServer) -> Any:
    if server.auth is None:
        return None
    from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider  # noqa: PLC0415

    asked, tokens = server.auth, _TOKENS.setdefault(server, _Tokens())
    return ClientCredentialsOAuthProvider(
        server.url, tokens, asked.client_id, asked.client_secret, scope=asked.scope or None, issuer=asked.issuer
    )


class _Tokens:
    """Keeps a server's token while this process lives."""

    def __init__(self) -> None:
        self._tokens: OAuthToken | None = None
        self._client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> "OAuthToken | None":
        return self._tokens

    async def set_tokens(self, tokens: "OAuthToken") -> None:
        self._tokens = tokens

    async def get_client_info(self) -> "OAuthClientInformationFull | None":
        return self._client

    async def set_client_info(self, client_info: "OAuthClientInformationFull") -> None:
        self._client = client_info


_TOKENS: dict[McpServer, _Tokens] = {}
