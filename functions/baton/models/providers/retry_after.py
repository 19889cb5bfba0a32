"""How long a provider asks to wait, from headers beside `Retry-After`, which pydantic-ai reads.

Pure. Header names come in lower case.
"""

import re
from collections.abc import Mapping

_UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_KINDS = ("requests", "tokens")


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait; None: nothing is said, or nothing that can be read.

    `Retry-After` with a fraction, which is against RFC 9110 and sent all the same; else the later of OpenAI's
    `x-ratelimit-reset-requests` and `-tokens`, of those that are used up (`6m0s`, `120ms`).
    """
    plain = _number(headers.get("retry-after", ""))
    if plain is not None:
        return plain
    waits = [_reset_seconds(headers, kind) for kind in _KINDS]
    return max((wait for wait in waits if wait is not None), default=None)


def _reset_seconds(headers: Mapping[str, str], kind: str) -> float | None:
    remaining = _number(headers.get(f"x-ratelimit-remaining-{kind}", ""))
    if remaining is None or remaining > 0:
        return None
    return duration_seconds(headers.get(f"x-ratelimit-reset-{kind}", ""))


def duration_seconds(text: str) -> float | None:
    """`1h2m3.5s` as seconds; None: it is no such duration."""
    pieces = _PIECE.findall(text)
    if not pieces or "".join(number + unit for number, unit in pieces) != text:
        return None
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in pieces)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else None
