"""Requests to MCP servers by the official SDK, in both revisions: list a server's tools, and call one.

A call may become a task, or have questions for people: then it runs again later (tasks.py, elicitation.py).

Invariant: a failure is one of two errors, with the server's own text. Must not: retry, or import the SDK before it is
needed.
"""

import asyncio
import logging
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import json
from pydantic import TypeAdapter, ValidationError

from baton.sdk.mcp.connections import connection
from baton.sdk.mcp.elicitation import ASKED, asked_of_people, busy, question, taken_in
from baton.sdk.mcp.mcp_server import McpContext, McpServer
from baton.sdk.records.memory import ModelCache
from baton.sdk.tools.arguments import InvalidArguments
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.foreign_schema import JsonSchema
from baton.sdk.tools.pending import RunAgain
from baton.sdk.tools.tool_error import ToolError
from baton_events.errors import StoreError
from baton_events.ids import canonical_json, digest
from baton_events.values.durations import plain_seconds
from baton_events.values.text import members_of, text_of
from baton_events.values.waits import wait_seconds

if TYPE_CHECKING:
    from mcp import Client
    from mcp.shared.dispatcher import ProgressFnT

_log = logging.getLogger("baton.models")

KEY_VERSION = 1
# Why a tool of a list is left out, in its entry.
FAULT = "fault"
_LOST, _BUSY = "mcp_connection_lost", "mcp_busy"
_MOST_PAGES = 50
_LIST_TIMEOUT_SECONDS = 20.0
# A list is kept in the store and shown to a model: its tools, and one of them.
_LIST_BYTES, _TOOL_BYTES, _MOST_TOOLS = 1_000_000, 100_000, 1_000
_SHOWN_CHARS, _WORDS_CHARS = 200, 1_000
# So many reports of a call are shown at once, then the newest one now and then, and the last one.
_MOST_REPORTS, _REPORT_SECONDS = 200, 5.0
_OF_URLS = str.maketrans("-_", "+/")
_FORBIDDEN = (401, 403)  # which no repetition changes
_T = TypeVar("_T")
_form = partial(json.encode, order="deterministic")
Listing = list[dict[str, Any]]


class McpError(Exception):
    """The server gave no list of tools. `retryable`: a later request may succeed, after `wait_seconds`."""

    def __init__(self, message: str, *, retryable: bool = True, wait_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retryable, self.wait_seconds = retryable, wait_seconds


async def listed(server: McpServer, context: McpContext, cache: ModelCache | None) -> Listing:
    """Return the server's tools, in the protocol's form; a list that is still fresh is not requested again.

    Raises McpError: the server did not give them.
    """
    try:
        key = digest("mcp-tools", KEY_VERSION, server.identity(context))
    except Exception as error:  # of a function of the user's
        raise McpError(f"MCP server {server.name}: its headers cannot be made: {_words(server, error)}") from error
    try:
        kept = await cache.get(context.tenant, key) if cache else None
    except StoreError:
        kept = None
    if kept is not None:
        return json.decode(kept, type=Listing)
    try:
        async with asyncio.timeout(_LIST_TIMEOUT_SECONDS):
            tools, seconds = await _once_more(server, context, lambda client: _all_pages(client, server))
    except Exception as error:  # the SDK's tasks raise groups of errors
        cause = members_of(error)[0]
        fault = f"MCP server {server.name}: its tools cannot be listed: {_words(server, error)}"
        retryable = cause.retryable if isinstance(cause, McpError) else _status_of(cause) not in _FORBIDDEN
        raise McpError(fault, retryable=retryable, wait_seconds=_wait_seconds(cause)) from error
    if cache and seconds > 0:
        with suppress(StoreError):  # without it, the list is requested again
            await cache.put(context.tenant, key, json.encode(tools).decode(), seconds)
    return tools


async def called(
    server: McpServer,
    context: McpContext,
    name: str,
    arguments: dict[str, Any],
    run: ToolContext,
    *,
    again: bool,
    promised: JsonSchema | None = None,
) -> Any:
    """Call a tool, or poll the task that it became; return its result as JSON, or what the call waits for.

    `again`: it may be called again after a lost connection. `promised`: the schema of its results.

    Raises ToolError: the tool or the server refused, or the connection was lost.
    """
    from baton.sdk.mcp import tasks  # noqa: PLC0415 - it imports the SDK

    memo = taken_in(run.memo or {})
    if asked := question(server.name, memo):
        return asked

    async def send(client: "Client") -> Any:
        if tasks.TASK in memo:
            return await tasks.looked_at(client.session, memo)
        async with _reporting(run) as report:
            return await _sent(client, name, arguments, memo.get(ASKED, {}), report)

    try:
        result: Any = await _once_more(server, context, send)
    except Exception as error:
        failure = _failure(server, error, again=again)
        later = tasks.lost(memo, run.started_at_ms) if failure.type in (_LOST, _BUSY) else None
        if later is None:
            raise failure from error
        seconds = max(plain_seconds(later.after_seconds), plain_seconds(failure.retry_after_seconds or 0))
        return RunAgain(after_seconds=seconds, memo=later.memo)
    if isinstance(result, tasks.TaskHandle):
        return tasks.begun(result, run.started_at_ms)
    if isinstance(result, tasks.TaskState):
        result = tasks.outcome(result, memo, run.started_at_ms)
    if isinstance(result, RunAgain):
        return question(server.name, result.memo) or result
    return await _outcome(server, result, run, None if tasks.TASK in memo else promised)


async def _once_more(server: McpServer, context: McpContext, send: Callable[["Client"], Awaitable[_T]]) -> _T:
    """Send over a connection; where its session is over, nothing has run, and it is sent over a new one."""
    try:
        async with connection(server, context) as client:
            return await send(client)
    except Exception as error:
        from baton.sdk.mcp.http_client import SESSION_OVER  # noqa: PLC0415

        if SESSION_OVER not in [getattr(getattr(one, "error", None), "code", None) for one in members_of(error)]:
            raise
    async with connection(server, context) as client:
        return await send(client)


@asynccontextmanager
async def _reporting(run: ToolContext) -> "AsyncIterator[ProgressFnT]":
    """Yield what shows a call's reports, one after the other. The newest one is never lost."""
    clock, in_turn = asyncio.get_running_loop().time, asyncio.Lock()
    shown, shown_at, held = 0, 0.0, list[tuple[float, str]]()

    async def report(progress: float, total: float | None, message: str | None) -> None:
        nonlocal shown, shown_at
        done = min(1.0, max(0.0, progress / total)) if total else 0.0
        held[:] = [(done, (message or "")[:_SHOWN_CHARS])]
        if shown >= _MOST_REPORTS and clock() < shown_at + _REPORT_SECONDS:
            return
        shown, shown_at, newest = shown + 1, clock(), held.pop()
        async with in_turn:
            await run.progress(*newest)

    try:
        yield report
    finally:
        async with in_turn:
            for newest in held:
                await run.progress(*newest)


async def _sent(
    client: "Client", name: str, arguments: dict[str, Any], asked: dict[str, Any], report: "ProgressFnT"
) -> Any:
    """Send the call with people's answers; list the tools again where the server requires headers from the list."""
    from mcp.shared.exceptions import MCPError  # noqa: PLC0415
    from mcp_types import HEADER_MISMATCH, InputResponse  # noqa: PLC0415

    answers: dict[str, InputResponse] | None = None
    if asked.get("answers"):
        answers = TypeAdapter[dict[str, InputResponse]](dict[str, InputResponse]).validate_python(asked["answers"])

    async def send() -> Any:
        return await client.session.call_tool(
            name,
            arguments,
            progress_callback=report,
            input_responses=answers,
            request_state=asked.get("state"),
            allow_input_required=True,
            allow_claimed=True,
        )

    try:
        return await send()
    except MCPError as error:
        if error.error.code != HEADER_MISMATCH:
            raise
    await client.session.list_tools()
    return await send()


async def _outcome(server: McpServer, result: Any, run: ToolContext, promised: JsonSchema | None) -> Any:
    """Return a result as JSON, or the next question to a person.

    Raises ToolError: the tool has failed, or the result is not what the server has promised.
    """
    if result.result_type == "input_required":
        requests = {
            key: each.model_dump(mode="json", by_alias=True, exclude_none=True)
            for key, each in (result.input_requests or {}).items()
        }
        asked = asked_of_people(requests, result.request_state)
        return question(server.name, {ASKED: asked}) or busy(run.memo or {}, asked)
    blocks = [block.model_dump(mode="json", by_alias=True, exclude_none=True) for block in result.content]
    data = result.structured_content
    if result.is_error:
        raise ToolError(_words_of(blocks, data) or "the tool failed and said nothing", type="mcp_tool_error")
    if promised is not None and (data is not None or not blocks):  # older servers have texts alone
        try:
            promised.check(data)
        except InvalidArguments as error:
            fault = f"MCP server {server.name}: its result is not what its schema promises: {'; '.join(error.faults)}"
            words = _words_of(blocks, data)[:_WORDS_CHARS]  # what the call has done is done
            raise ToolError(f"{fault}; it said: {words}" if words else fault, type="mcp_invalid_result") from error
    return await _value(blocks, data, run)


async def _value(blocks: Listing, structured: Any, run: ToolContext) -> Any:
    """Convert content to a result: text as such, resources by their links, pictures and other data as files."""
    shown = [await _shown(block, run) for block in blocks]
    if structured is not None:
        more = set(_unsaid([one["text"] for one in shown if one["type"] == "text"], structured))
        others = [one for one in shown if one["type"] != "text" or one["text"] in more]
        return [structured, *others] if others else structured
    return "\n".join(block["text"] for block in blocks) if all(block["type"] == "text" for block in blocks) else shown


async def _shown(block: dict[str, Any], run: ToolContext) -> dict[str, Any]:
    """Store the data of a block, or of its resource, as a file; one without data, or too large, becomes its size."""
    holder = block.get("resource", block)
    data, name = holder.get("data", holder.get("blob")), holder.get("uri", "").rpartition("/")[2]
    if data is None:
        return block
    try:
        media_type = holder.get("mimeType", "application/octet-stream").partition(";")[0].strip()  # without a charset
        return await run.keep_file(_bytes_of(data), media_type, name[:255])
    except (ToolError, ValueError):
        return {"type": block["type"], "data": f"[{len(data) * 3 // 4} bytes, left out]"}


def _bytes_of(data: str) -> bytes:
    """Decode base64, also of a data URL, or in the alphabet of URLs: the library leaves out what it does not know."""
    text = "".join((data.partition(",")[2] if data.startswith("data:") else data).split())
    return b64decode(text.translate(_OF_URLS).rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)


def _words_of(blocks: Listing, structured: Any) -> str:
    """Return what a failure says: its texts, also those of resources, and its data."""
    texts = [block.get("text") or block.get("resource", {}).get("text") or "" for block in blocks]
    return "\n".join([*_unsaid(texts, structured), *([canonical_json(structured)] if structured else [])])


def _unsaid(texts: Sequence[str], data: Any) -> list[str]:
    """Return the texts that say more than the data does: all of it, a value in it, or an item of a list there."""
    values = list(data.values()) if isinstance(data, dict) else [data]
    items = [item for value in values if isinstance(value, list) for item in value]
    known = set(map(_form, [data, *values, *items]))
    return [text for text in texts if text.strip() and known.isdisjoint((_form(text), _form(_read(text))))]


def _read(text: str) -> Any:
    with suppress(ValueError, RecursionError):
        return json.decode(text)
    return text


async def _all_pages(client: "Client", server: McpServer) -> tuple[Listing, int]:
    """Read the list, and the number of seconds for which it is fresh.

    Raises McpError: it is longer than a model could use.
    """
    found, names, lives, cursor, size_bytes = Listing(), set[str](), list[int](), None, 0
    for _ in range(_MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        if page.ttl_ms is not None and "ttl_ms" in page.model_fields_set:
            lives.append(max(0, min(86_400, page.ttl_ms // 1000)))
        for tool in page.tools:
            if tool.name in names:  # a list that changes between two pages has some tools twice
                continue
            names.add(tool.name)
            found.append(_kept(server, tool))
            size_bytes += len(json.encode(found[-1]))
            if size_bytes > _LIST_BYTES or len(found) > _MOST_TOOLS:
                fault = f"its list of tools has more than {_LIST_BYTES} bytes, or {_MOST_TOOLS} tools"
                raise McpError(f"{fault}; name those that you need in McpServer(allow=…)", retryable=False)
        cursor = page.next_cursor
        if not cursor:  # some servers send an empty one at the end
            return found, min(lives, default=server.list_seconds)
    raise McpError(f"its list of tools has more than {_MOST_PAGES} pages", retryable=False)


def _kept(server: McpServer, tool: Any) -> dict[str, Any]:
    """Return a tool in the protocol's form; of one that is left out, its name and, unless `allow` does it, why."""
    name = tool.name[:_SHOWN_CHARS]
    if server.allow is not None and tool.name not in server.allow:
        return {"name": name}
    entry: dict[str, Any] = tool.model_dump(mode="json", by_alias=True, exclude_none=True)
    if len(json.encode(entry)) <= _TOOL_BYTES:
        return entry
    fault = f"its tool {name!r} is left out: it has more than {_TOOL_BYTES} bytes with its schemas"
    _log.warning("MCP server %s: %s", server.name, fault)
    return {"name": name, FAULT: fault}


def _failure(server: McpServer, error: Exception, *, again: bool) -> ToolError:
    from mcp.shared.exceptions import MCPError  # noqa: PLC0415
    from mcp_types import CONNECTION_CLOSED, INTERNAL_ERROR, PARSE_ERROR, REQUEST_TIMEOUT  # noqa: PLC0415

    cause = members_of(error)[0]
    wait_seconds = _wait_seconds(cause)
    if wait_seconds is not None:
        busy = f"MCP server {server.name}: {_words(server, error)}"
        return ToolError(busy, again, type=_BUSY, retry_after_seconds=wait_seconds)
    invalid = isinstance(cause, MCPError) and cause.error.code == PARSE_ERROR
    if invalid or isinstance(cause, RuntimeError | ValidationError):  # the SDK's ways to report an invalid result
        return ToolError(f"MCP server {server.name}: {_words(server, error)}", type="mcp_invalid_result")
    is_lost = isinstance(cause, MCPError) and cause.error.code in (CONNECTION_CLOSED, INTERNAL_ERROR, REQUEST_TIMEOUT)
    if isinstance(cause, MCPError) and (not is_lost or _status_of(cause) in _FORBIDDEN):
        return ToolError(f"MCP server {server.name} refused the call: {_words(server, error)}", type="mcp_refused")
    return ToolError(f"MCP server {server.name}: the connection was lost: {_words(server, error)}", again, type=_LOST)


def _status_of(cause: BaseException) -> int:
    """Return the HTTP status of an answer that was none of the protocol; 0: it is unknown."""
    from baton.sdk.mcp.http_client import STATUS  # noqa: PLC0415

    data = getattr(getattr(cause, "error", None), "data", None)
    status = data.get(STATUS) if isinstance(data, dict) else None
    return status if isinstance(status, int) else 0


def _wait_seconds(cause: BaseException) -> float | None:
    from mcp.shared.exceptions import MCPError  # noqa: PLC0415

    from baton.sdk.mcp.http_client import BUSY, WAIT_SECONDS  # noqa: PLC0415

    if not isinstance(cause, MCPError) or cause.error.code != BUSY or not isinstance(cause.error.data, dict):
        return None
    return wait_seconds(cause.error.data.get(WAIT_SECONDS))


def _words(server: McpServer, error: BaseException) -> str:
    cause, *others = members_of(error)
    return server.without_secrets(text_of(error if others else cause) or type(cause).__name__)[:_WORDS_CHARS]
