"""Where a message goes: a URL or a URL group, read from the path as it was sent (qstash.md 3).

Invariant: the URL is kept exactly as given; nothing is normalised, so the signature's `sub` matches it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from baton_local.qstash.core.errors import bad_request, not_served

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_ENCODED_SCHEME = re.compile(r"https?%3a", re.IGNORECASE)
_COLLAPSED = re.compile(r"\A(https?):/(?=[^/])", re.IGNORECASE)
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")
_MAX_URL_LENGTH = 16_384
_MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class UrlDestination:
    """One URL."""

    url: str


@dataclass(frozen=True, slots=True)
class GroupDestination:
    """A URL group by name; resolved when a message is made."""

    name: str


Destination = UrlDestination | GroupDestination


def parse_destination(text: str, query: str = "") -> Destination:
    """The destination named by the rest of a path, with the query string that belongs to it."""
    if _ENCODED_SCHEME.match(text):
        text = unquote(text)
    text = _COLLAPSED.sub(r"\1://", text)  # proxies collapse slashes (qstash.md 1)
    if _SCHEME.match(text):
        if query:
            text = f"{text}{'&' if '?' in text else '?'}{query}"
        return UrlDestination(check_url(text, "destination"))
    name = unquote(text)
    if name == "api/llm":
        raise not_served("destination api/llm: the vendor's hosted model is not available locally; publish to a URL")
    return GroupDestination(check_name(name, "destination"))


def destination_text(destination: Destination) -> str:
    """The destination as text: the URL or the group's name."""
    return destination.url if isinstance(destination, UrlDestination) else destination.name


def check_url(url: str, field: str) -> str:
    """The URL itself if a message can be sent there; 400 naming the field otherwise."""
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
    """The name itself if it is allowed for queues, groups and schedules; 400 naming the field otherwise."""
    if not _NAME.fullmatch(name):
        raise bad_request(f"{field}: {name[:80]!r} is not a valid name; use only letters, digits, '_', '-' and '.'")
    return name


@lru_cache(maxsize=1_024)
def origin_of(url: str) -> str:
    """Scheme, host and port: what shares a connection pool and a share of the deliveries in flight."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()
