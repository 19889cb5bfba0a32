"""A destination's URL as a request needs it: where to connect, and what to ask for there.

Invariant: path and query go out as given; normalising would break the signature's `sub` (qstash.md 3, 9).
"""

import re
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, unquote, urlsplit

_UNSAFE = re.compile(r"[\x00-\x20\x7f]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """What a connection leads to; requests to one place share connections."""

    host: str
    port: int
    secure: bool


@dataclass(frozen=True, slots=True)
class Target:
    """A place, and the parts of a request that follow from the URL."""

    place: Place
    request_target: str
    host_header: str
    authorization: str | None


@lru_cache(maxsize=1_024)
def target_of(url: str) -> Target:
    """Read a URL; ValueError if nothing can be sent there."""
    if _UNSAFE.search(url):
        raise ValueError(f"URL {url[:200]!r} holds a space or a control character")
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"URL {url[:200]!r} has no http:// or https:// and a host")
    host = _ascii(parts.hostname)
    rest = url[url.index("//") + 2 + len(parts.netloc) :].partition("#")[0]
    return Target(
        Place(host, parts.port or _DEFAULT_PORTS[parts.scheme], parts.scheme == "https"),
        rest if rest.startswith("/") else f"/{rest}",
        f"{f'[{host}]' if ':' in host else host}{'' if parts.port is None else f':{parts.port}'}",
        _authorization(parts),
    )


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode()


def _authorization(parts: SplitResult) -> str | None:
    """What `user:password@` in a URL asks for (RFC 7617)."""
    if parts.username is None:
        return None
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(credentials.encode()).decode()}"
