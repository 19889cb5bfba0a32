"""Where a message goes: a URL, or a URL group, a named list of endpoints that a publish fans out to (qstash.md 3, 16).

Invariants: the URL is kept exactly as given; nothing is normalised, so the signature's `sub` matches it. A group that
exists has at least one endpoint.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from baton_local.qstash.core.answer import bad_request, not_served
from baton_local.qstash.core.headers import HeaderMap

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_ENCODED_SCHEME = re.compile(r"https?%3a", re.IGNORECASE)
_COLLAPSED = re.compile(r"\A(https?):/(?=[^/])", re.IGNORECASE)
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")
_MAX_URL_LENGTH = 16_384
_MAX_PORT = 65_535


def parse_destination(text: str, query: str = "") -> str:
    """Return the destination named by the rest of a path, with the query string that belongs to it."""
    if _ENCODED_SCHEME.match(text):
        text = unquote(text)
    text = _COLLAPSED.sub(r"\1://", text)  # proxies collapse slashes (qstash.md 1)
    if _SCHEME.match(text):
        if query:
            text = f"{text}{'&' if '?' in text else '?'}{query}"
        return check_url(text, "destination")
    name = unquote(text)
    if name == "api/llm":
        raise not_served("destination api/llm: the vendor's hosted model is not available locally; publish to a URL")
    return check_name(name, "destination")


def is_url(destination: str) -> bool:
    """Return whether it is a URL; a group's name, which is resolved when a message is made, has no colon."""
    return ":" in destination


def check_url(url: str, field: str) -> str:
    """Check that a message can be sent to the URL, and return it; 400 naming the field otherwise."""
    reason = _why_bad(url)
    if reason:
        raise bad_request(f"{field}: {url[:120]!r} {reason}; give a full URL such as https://example.com/path")
    return url


@lru_cache(maxsize=1_024)
def _why_bad(url: str) -> str:
    if not _SCHEME.match(url):
        return "has no http:// or https:// scheme"
    if len(url) > _MAX_URL_LENGTH:
        return f"is longer than {_MAX_URL_LENGTH} characters"
    if _UNSAFE.search(url):
        return "holds a space or another character that a URL cannot hold"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"is not a URL ({error})"
    if not parts.hostname:
        return "has no host"
    return "has no usable port" if port is not None and not 0 < port <= _MAX_PORT else ""


def check_name(name: str, field: str) -> str:
    """Check a name of a queue, group or schedule, and return it; 400 naming the field otherwise."""
    if not _NAME.fullmatch(name):
        raise bad_request(f"{field}: {name[:80]!r} is not a valid name; use only letters, digits, '_', '-' and '.'")
    return name


@lru_cache(maxsize=1_024)
def origin_of(url: str) -> str:
    """Return scheme, host and port, which share a connection pool and a part of the deliveries in flight."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One receiver of a group; `name` is None when unset."""

    url: str
    name: str | None = None

    @property
    def key(self) -> str:
        """What an update is matched by: the name if given, else the URL."""
        return self.name if self.name is not None else self.url


@dataclass(frozen=True, slots=True)
class Topic:
    """A group with its endpoints in order, and the default headers of publishes to it (lower-case names)."""

    name: str
    created_at_ms: int
    updated_at_ms: int
    endpoints: tuple[Endpoint, ...]
    headers: HeaderMap = field(default_factory=dict)


def parse_endpoints(body: Any, *, need_url: bool) -> list[Endpoint]:
    """Return the `endpoints` of a request body; 400 naming what is wrong."""
    items = body.get("endpoints") if isinstance(body, dict) else None
    if not isinstance(items, list) or not items:
        raise bad_request('endpoints: must be a list with at least one endpoint, like [{"url": "https://..."}]')
    return [_endpoint(item, need_url=need_url) for item in items]


def _endpoint(item: Any, *, need_url: bool) -> Endpoint:
    if not isinstance(item, dict):
        raise bad_request(f"endpoints: {str(item)[:80]!r} is not an object with a url")
    url, name = item.get("url") or "", item.get("name") or None
    if not isinstance(url, str) or not (name is None or isinstance(name, str)):
        raise bad_request("endpoints: url and name must be text")
    if url or need_url:
        check_url(url, "endpoints.url")
    if name is not None:
        check_name(name, "endpoints.name")
    elif not url:
        raise bad_request("endpoints: each one needs a url or a name")
    return Endpoint(url, name)


def with_endpoints(topic: Topic | None, name: str, endpoints: Sequence[Endpoint], now_ms: int) -> Topic:
    """Return the group after an upsert; an endpoint of the same key keeps its place."""
    merged = {endpoint.key: endpoint for endpoint in (topic.endpoints if topic else ())}
    merged.update((endpoint.key, endpoint) for endpoint in endpoints)
    if topic is None:
        return Topic(name, now_ms, now_ms, tuple(merged.values()))
    return replace(topic, endpoints=tuple(merged.values()), updated_at_ms=now_ms)


def without_endpoints(topic: Topic, endpoints: Sequence[Endpoint], now_ms: int) -> Topic | None:
    """Return the group after a removal by URL or name; None when no endpoint is left."""
    urls = {endpoint.url for endpoint in endpoints if endpoint.name is None}
    names = {endpoint.name for endpoint in endpoints if endpoint.name is not None}
    left = tuple(each for each in topic.endpoints if each.url not in urls and (not each.name or each.name not in names))
    return replace(topic, endpoints=left, updated_at_ms=now_ms) if left else None


def parse_default_headers(body: Any) -> HeaderMap:
    """Convert `{"headers": {"Upstash-Retries": "3", "X": ["a"]}}` to a lower-case map."""
    headers = body.get("headers") if isinstance(body, dict) else None
    if not isinstance(headers, dict):
        raise bad_request('headers: must be an object like {"Upstash-Retries": "3"}')
    result: HeaderMap = {}
    for name, value in headers.items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str) for each in values):
            raise bad_request(f"headers.{str(name)[:80]}: must be text or a list of texts")
        result[str(name).lower()] = values
    return result


def merged_headers(defaults: Mapping[str, list[str]], own: HeaderMap) -> HeaderMap:
    """Return the publish's own headers over the group's defaults."""
    return {**defaults, **own} if defaults else own
