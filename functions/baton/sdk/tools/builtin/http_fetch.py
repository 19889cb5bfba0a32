"""A tool that fetches from the web, and only from where its author allows.

Invariant: every request, also after a redirect, goes to a host on the allow list and to an allowed address. Time, size
and the number of redirects are bounded. Neither the received body nor the unpacked one exceeds its limit in memory. A
few kilobytes of gzip may hold gigabytes, and httpx would unpack a whole chunk at once, so unpacking is done here. Must
not: send the author's headers to any other origin than the requested one, or use a proxy (an address could not be
judged behind one).
"""

import asyncio
import json
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import httpx
from pydantic import Field

from baton.sdk.clock import SystemClock
from baton.sdk.tools.builtin.fetch_policy import FetchPolicy, origin_of, read_allowed
from baton.sdk.tools.builtin.pinned_transport import PinnedTransport, Resolver, system_resolver
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool import Tool, tool
from baton.sdk.tools.tool_error import ToolError
from baton_events.bounded import ACCEPTED, PIECE_BYTES, Body, charset_of
from baton_events.values.durations import Duration, seconds_of
from baton_events.values.waits import requested_wait_seconds

_ANNOUNCED_DIGITS = 20


async def read_body(response: httpx.Response, max_bytes: int, *, whole: bool = True) -> bytes:
    """Read and unpack the body; `whole` is False: only its beginning, where it is larger.

    Raises:
        ToolError: it is larger than `max_bytes`, or packed in a way that was not requested; permanent.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", "deflate", ""):
        raise ToolError(f"the answer is encoded as {encoding!r}, which was not requested", type="NotText")
    announced = response.headers.get("content-length", "")
    if whole and announced.isdecimal() and int(announced[:_ANNOUNCED_DIGITS]) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > max_bytes:
            if whole:
                raise _too_large(max_bytes)
            break
    return bytes(body[:max_bytes]) if encoding in ("identity", "") else _unpacked(bytes(body), max_bytes, whole=whole)


def _unpacked(packed: bytes, max_bytes: int, *, whole: bool) -> bytes:
    if not packed:
        return b""
    unpacking = Body("gzip", max_bytes + PIECE_BYTES, lambda: _too_large(max_bytes), events=False)
    chunks = (packed[start : start + PIECE_BYTES] for start in range(0, len(packed), PIECE_BYTES))
    body = bytearray()
    try:
        for piece in (piece for chunk in chunks for piece in unpacking.pieces(chunk)):
            body += piece
            if len(body) > max_bytes:
                break
    except zlib.error as error:
        raise ToolError(f"the answer's encoding is damaged: {error}", retryable=True, type="NotText") from error
    if not whole:
        return bytes(body[:max_bytes])
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    if not unpacking.is_whole:
        raise ToolError("the answer's encoding is cut off: its end is missing", retryable=True, type="NotText")
    return bytes(body)


def _too_large(max_bytes: int) -> ToolError:
    return ToolError(f"the answer is larger than {max_bytes} bytes; ask for less of it", type="TooLarge")


METHODS = ("GET", "HEAD", "POST")
# Headers that a model may set: none that authenticates, names a host, or frames a body.
MODEL_HEADERS = frozenset({"accept", "accept-language", "content-type", "if-modified-since", "if-none-match"})
_SHOWN_HEADERS = ("content-length", "content-type", "etag", "last-modified", "link", "retry-after")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD = frozenset({307, 308})
_TOO_MANY, _FIRST_ERROR, _FIRST_SERVER_ERROR = 429, 400, 500
_MAX_BODY_BYTES = 200_000
_SHOWN_OF_AN_ERROR_CHARS, _READ_OF_AN_ERROR_BYTES = 300, 16_384
_USER_AGENT = "baton-fetch"


@dataclass(frozen=True)
class _Options:
    policy: FetchPolicy
    methods: tuple[str, ...]
    allow_private: bool
    max_bytes: int
    timeout_seconds: float
    max_redirects: int
    headers: Mapping[str, str]
    resolver: Resolver
    inner: httpx.AsyncBaseTransport | None


@dataclass(frozen=True)
class _Request:
    method: str
    url: httpx.URL
    headers: dict[str, str]
    body: bytes = field(default=b"", repr=False)


def http_fetch(  # noqa: PLR0913 - the public factory; every option has a name
    allow: Collection[str],
    *,
    name: str = "fetch",
    methods: Collection[str] = ("GET", "HEAD"),
    headers: Mapping[str, str] | None = None,
    allow_private: bool = False,
    max_bytes: int = 500_000,
    timeout_seconds: Duration = 20,
    max_redirects: int = 5,
    retries: int = 2,
    resolver: Resolver = system_resolver,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Tool:
    """Make a tool that fetches URLs.

    Args:
        allow: `api.example.com`, `*.example.org` (its subdomains) or `*` (any public host); with `:8080` or `:*` for
            other ports than 80 and 443.
        name: the tool's name: several fetching tools need one each.
        methods: of GET, HEAD, POST. A POST carries the call's `Idempotency-Key`, the same on every attempt.
        headers: sent with each request, such as an Authorization, but not after a redirect to another origin. Every
            allowed host gets them, so a tool with a secret should allow one host.
        allow_private: also private and loopback addresses; metadata, link-local and multicast ones never.
        max_bytes: the largest answer, unpacked.
        timeout_seconds: the limit of a whole fetch, redirects included.
        max_redirects: the number of redirects to follow.
        retries: attempts after the first, if a server is busy or does not answer.
        resolver: converts hosts to addresses.
        transport: stands in for the network, in tests.

    Raises:
        TypeError: an option is invalid; nothing is fetched yet.
    """
    unknown = sorted(set(methods) - set(METHODS))
    if unknown or not methods or isinstance(methods, str):
        raise TypeError(f"methods={methods!r} must be some of {METHODS}")
    options = _Options(
        FetchPolicy(read_allowed(allow)),
        tuple(methods),
        allow_private,
        max_bytes,
        seconds_of(timeout_seconds, "http_fetch(...): timeout_seconds", above=0),
        max_redirects,
        {key.lower(): value for key, value in (headers or {}).items()},
        resolver,
        transport,
    )
    return _make_tool(options, name, retries)


def _make_tool(options: _Options, name: str, retries: int) -> Tool:
    pattern = f"^({'|'.join(options.methods)})$"

    @tool(name=name, capabilities={"web"}, timeout_seconds=options.timeout_seconds + 1, retries=retries)
    async def fetch(
        url: str,
        context: ToolContext,
        method: Annotated[str, Field(pattern=pattern)] = options.methods[0],
        headers: dict[str, str] | None = None,
        body: str = "",
    ) -> dict[str, Any]:
        """Fetch a URL from the web. Gives status, url, headers, and `json` or `text`.

        Args:
            url: an http or https URL of a host that this tool may reach.
            context: the call, for its idempotency key.
            method: how to ask.
            headers: accept, accept-language, content-type, if-none-match, if-modified-since; no others.
            body: what to send, for POST alone.
        """
        request = _first_request(options, method, url, headers or {}, body)
        if method == "POST":
            request.headers["idempotency-key"] = context.idempotency_key
        return await _fetched(options, request)

    return fetch


def _first_request(options: _Options, method: str, url: str, headers: Mapping[str, str], body: str) -> _Request:
    given = {key.lower(): value for key, value in headers.items()}
    refused = sorted(set(given) - MODEL_HEADERS)
    if refused:
        message = f"header {refused[0]!r} cannot be set here; only {', '.join(sorted(MODEL_HEADERS))} can"
        raise ToolError(message, type="HeaderRefused")
    if body and method != "POST":
        raise ToolError(f"a {method} carries no body; leave it out", type="BodyRefused")
    if len(body.encode()) > _MAX_BODY_BYTES:
        raise ToolError(f"the body has more than {_MAX_BODY_BYTES} bytes; send less", type="TooLarge")
    own = {"accept-encoding": ACCEPTED, "user-agent": _USER_AGENT}
    return _Request(method, options.policy.check(url), {**own, **given, **options.headers}, body.encode())


async def _fetched(options: _Options, request: _Request) -> dict[str, Any]:
    transport = PinnedTransport(allow_private=options.allow_private, resolver=options.resolver, inner=options.inner)
    host = request.url.host
    try:
        async with (
            asyncio.timeout(options.timeout_seconds),
            httpx.AsyncClient(transport=transport, timeout=options.timeout_seconds, trust_env=False) as client,
        ):
            for _ in range(options.max_redirects + 1):
                found = await _sent(options, client, request)
                if isinstance(found, dict):
                    return found
                request = found
    except (TimeoutError, httpx.TimeoutException) as error:
        message = f"{host} did not answer within {options.timeout_seconds:g} s"
        raise ToolError(message, retryable=True, type="Timeout") from error
    except (httpx.InvalidURL, httpx.LocalProtocolError, ValueError) as error:
        raise ToolError(f"the request to {host} cannot be sent: {error}", type="RequestRefused") from error
    except httpx.HTTPError as error:
        message = f"no answer from {host}: {error or type(error).__name__}"
        raise ToolError(message, retryable=True, type="NotReached") from error
    raise ToolError(f"more than {options.max_redirects} redirects, the last to {request.url}", type="TooManyRedirects")


async def _sent(options: _Options, client: httpx.AsyncClient, request: _Request) -> dict[str, Any] | _Request:
    async with client.stream(
        request.method, request.url, headers=request.headers, content=request.body or None
    ) as response:
        if response.status_code in _REDIRECTS and "location" in response.headers:
            return _next_request(options, request, response)
        if response.status_code >= _FIRST_ERROR:
            raise _error_answer(request, response, await _beginning_of(response))
        body = b"" if request.method == "HEAD" else await read_body(response, options.max_bytes)
        shown = {key: response.headers[key] for key in _SHOWN_HEADERS if key in response.headers}
        answer: dict[str, Any] = {"status": response.status_code, "url": str(request.url), "headers": shown}
        return {**answer, **_content(response, body)}


def _next_request(options: _Options, request: _Request, response: httpx.Response) -> _Request:
    url = options.policy.check(response.headers["location"], base=request.url)
    if request.url.scheme == "https" and url.scheme == "http":
        raise ToolError(f"{request.url.host} redirects from https to http, which is not followed", type="UrlRefused")
    following = replace(request, url=url, headers=dict(request.headers))
    if request.method == "POST" and response.status_code not in _KEEPS_METHOD:
        following = replace(following, method="GET", body=b"")
        following.headers.pop("content-type", None)
    if origin_of(url) != origin_of(request.url):
        for key in (*options.headers, "idempotency-key"):
            following.headers.pop(key, None)
    return following


def _content(response: httpx.Response, body: bytes) -> dict[str, Any]:
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    try:
        text = body.decode(charset_of(response) or "utf-8")
    except (UnicodeError, LookupError) as error:
        raise ToolError(f"the answer is not text but {kind or 'unknown'}", type="NotText") from error
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return {"json": json.loads(text)}
        except (ValueError, RecursionError):
            return {"text": text}  # declared as JSON, but it is not: the reader sees the text
    return {"text": text}


async def _beginning_of(response: httpx.Response) -> bytes:
    try:
        return await read_body(response, _READ_OF_AN_ERROR_BYTES, whole=False)
    except ToolError:
        return b""


def _error_answer(request: _Request, response: httpx.Response, body: bytes) -> ToolError:
    status = response.status_code
    excerpt = " ".join(body.decode("utf-8", "replace").split())[:_SHOWN_OF_AN_ERROR_CHARS]
    wait = f", to be asked again after {response.headers['retry-after']}" if "retry-after" in response.headers else ""
    message = f"{request.method} {request.url} answered {status}{wait}" + (f": {excerpt}" if excerpt else "")
    retryable = status == _TOO_MANY or status >= _FIRST_SERVER_ERROR
    wait_seconds = requested_wait_seconds(response.headers, SystemClock().now_ms())
    return ToolError(message, retryable, f"http_{status}", wait_seconds)
