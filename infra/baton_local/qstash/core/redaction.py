"""`Upstash-Redact-Fields`: what is shown as a digest instead of its value (qstash.md 4).

Views only: delivery and DLQ retry always use the originals.
"""

import re
from dataclasses import dataclass
from hashlib import sha256

from baton_local.qstash.core.errors import bad_request
from baton_local.qstash.core.headers import HeaderMap, canonical_name

_NAMED = re.compile(r"headers?\[([^\[\]]+)\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Redaction:
    """Which parts of a message are hidden."""

    body: bool = False
    all_headers: bool = False
    header_names: tuple[str, ...] = ()

    def shown_headers(self, headers: HeaderMap) -> HeaderMap:
        """The header map as the API shows it."""
        return {
            name: [digest(value.encode()) for value in values]
            if self.all_headers or name in self.header_names
            else values
            for name, values in headers.items()
        }


NOTHING_REDACTED = Redaction()


def digest(value: bytes) -> str:
    """What stands in place of a hidden value."""
    return f"REDACTED:{sha256(value).hexdigest()}"


def parse_redaction(text: str, field: str) -> Redaction:
    """`body, header[Authorization]` as a Redaction; 400 on anything else."""
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
