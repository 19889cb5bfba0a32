"""Header maps: canonical names, what may be forwarded, what a message keeps, what is redacted (qstash.md 2, 4, 8).

Invariant: no value that leaves here can break a request apart (no control characters in names or values). Redaction
(`Upstash-Redact-Fields`) is for views only: delivery and DLQ retry always use the originals.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from baton_local.qstash.core.answer import bad_request

HeaderMap = dict[str, list[str]]

FORWARD_PREFIX = "upstash-forward-"
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
        "content-length",
        "expect",
    }
)
# What "forward all incoming headers" leaves out besides (qstash.md 4); compression is between caller and server.
_NEVER_FORWARDED_UNASKED = _HOP_BY_HOP | {"authorization", "content-type", "accept-encoding"}
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@lru_cache(maxsize=4_096)
def canonical_name(name: str) -> str:
    """Convert `content-type` to `Content-Type`: each dash part capitalised."""
    return "-".join(part.capitalize() for part in name.split("-"))


def canonical_map(pairs: Iterable[tuple[str, str]]) -> HeaderMap:
    """Return a header map in canonical names, values of one name in order of arrival."""
    result: HeaderMap = {}
    for name, value in pairs:
        result.setdefault(canonical_name(name), []).append(value)
    return result


def lower_map(pairs: Iterable[tuple[str, str]]) -> HeaderMap:
    """Return a header map in lower-case names, as options are looked up."""
    result: HeaderMap = {}
    for name, value in pairs:
        result.setdefault(name.lower(), []).append(value)
    return result


def kept_headers(incoming: Mapping[str, Sequence[str]], *, forward_all: bool) -> HeaderMap:
    """Return the incoming (lower-case) headers that a message keeps: Content-Type and the forwarded ones."""
    kept: HeaderMap = {}
    if "content-type" in incoming:
        kept["Content-Type"] = list(incoming["content-type"][:1])
    if forward_all:
        for name, values in incoming.items():
            if name not in _NEVER_FORWARDED_UNASKED and not name.startswith("upstash-"):
                kept[canonical_name(name)] = list(values)
    for name, values in incoming.items():
        if name.startswith(FORWARD_PREFIX):
            plain = name.removeprefix(FORWARD_PREFIX)
            if plain not in _HOP_BY_HOP:
                kept[canonical_name(plain)] = list(values)
    for name, values in kept.items():
        _check(name, values)
    return kept


def _check(name: str, values: Iterable[str]) -> None:
    if not _NAME.fullmatch(name):
        raise bad_request(f"header name {name[:80]!r} is not allowed; use letters, digits and dashes")
    for value in values:
        if _BAD_VALUE.search(value):
            raise bad_request(f"header {name}: the value {value[:80]!r} holds a control character; remove it")


_NAMED = re.compile(r"headers?\[([^\[\]]+)\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Redaction:
    """Which parts of a message are hidden."""

    body: bool = False
    all_headers: bool = False
    header_names: tuple[str, ...] = ()

    def shown_headers(self, headers: HeaderMap) -> HeaderMap:
        return {
            name: [digest(value.encode()) for value in values]
            if self.all_headers or name in self.header_names
            else values
            for name, values in headers.items()
        }


NOTHING_REDACTED = Redaction()


def digest(value: bytes) -> str:
    """Return the text in place of a hidden value."""
    return f"REDACTED:{sha256(value).hexdigest()}"


def parse_redaction(text: str, field: str) -> Redaction:
    """Parse `body, header[Authorization]`; 400 on anything else."""
    body, all_headers, names = False, False, []
    for part in filter(None, (part.strip() for part in text.split(","))):
        named = _NAMED.fullmatch(part)
        if part.lower() == "body":
            body = True
        elif part.lower() in {"header", "headers"}:
            all_headers = True
        elif named:
            names.append(canonical_name(named[1].strip()))
        else:
            raise bad_request(f"{field}: {part[:80]!r} is unknown; use body, header or header[Name]")
    return Redaction(body=body, all_headers=all_headers, header_names=tuple(names))
