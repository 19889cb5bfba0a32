"""Waits that somebody else names: a provider, a tool, a server, in every form in use.

Invariant: a wait is a finite number of seconds from 0 to `LONGEST_WAIT_SECONDS` (of `named_seconds` any number), or
None where nothing can be read; whatever is given, nothing is raised. Must not: decide whether a call is repeated, or
read a clock.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

# As a job's own delay between two attempts.
LONGEST_WAIT_SECONDS = 3_600.0
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
# Compiled by their first use: few processes read any wait.
_PIECE = r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)"
_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?"
_LONGEST_CHARS, _LONGEST_WORDS = 100, 4_000
# A piece of the same in a sentence.
_IN_WORDS = (
    r"(?:,? and |,? )?([0-9]+(?:\.[0-9]+)?) ?"
    r"(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)(?![a-z])"
)
_MS, _HUGE = 0.001, 1e300
# A number of seconds from here on is a time since 1970, not a wait of thirty years.
_FIRST_TIME_SECONDS, _FIRST_TIME_MS = 1e9, 1e12


def wait_seconds(named: object, unit_seconds: float = 1.0) -> float | None:
    """Return the wait that any value names, as a number, a text or a `timedelta`; None: it names none.

    Huge numbers are the longest wait, negative ones are 0; NaN and infinity have no sense, and name none.

    `named`: what somebody gave, such as `ToolError.retry_after_seconds`. `unit_seconds`: the unit of a number; 0.001
    for milliseconds.
    """
    if isinstance(named, timedelta):
        return _bounded(named.total_seconds())
    if isinstance(named, str):
        found = _number(named)
        return _bounded(_duration(named) if found is None else found * unit_seconds)
    if named is None or isinstance(named, bool | bytes):
        return None
    number: Any = named
    try:
        return _bounded(_float(number) * unit_seconds)
    except Exception:  # noqa: BLE001 - foreign code converts it
        return None


def _float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        return _HUGE if number > 0 else -_HUGE


def requested_wait_seconds(headers: Mapping[str, str], now_ms: int) -> float | None:
    """Return the wait that the headers of an answer name; None: none, or none that can be read.

    `retry-after-ms` counts first, then `Retry-After`: seconds, a fraction of them, a duration, or a date. Otherwise the
    latest `…ratelimit…reset…` counts of the limits that are used up, by the `…remaining…` beside it.

    `headers`: of the answer, their names in lower case. `now_ms`: the time, for dates.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return _bounded(milliseconds * _MS)
    named = _bounded(named_seconds(headers.get("retry-after", ""), now_ms))
    if named is not None:
        return named
    waits = [
        _bounded(named_seconds(text, now_ms))
        for name, text in headers.items()
        if "ratelimit" in name and "reset" in name and _number(headers.get(name.replace("reset", "remaining"), "")) == 0
    ]
    return max((wait for wait in waits if wait is not None), default=None)


def _duration(text: str) -> float | None:
    """Convert `1h2m3.5s` to seconds; None: it is no such duration."""
    pieces = re.findall(_PIECE, text) if len(text) <= _LONGEST_CHARS else []
    if not pieces or "".join(number + unit for number, unit in pieces) != text:
        return None
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in pieces)


def wait_in_words(text: str) -> float | None:
    """Return the wait that a sentence names, as in "try again in 1m20.5s" or "retry after 26 seconds"; None: none."""
    found = re.search(r"(?:try again|retry) (?:in|after) ", text[:_LONGEST_WORDS], re.IGNORECASE)
    if found is None:
        return None
    words, seconds = text[found.end() : found.end() + _LONGEST_CHARS].lower(), list[float]()
    while piece := re.match(_IN_WORDS, words):
        unit = "ms" if piece[2].startswith("mil") else piece[2] if piece[2] == "ms" else piece[2][0]
        seconds.append(float(piece[1]) * _UNIT_SECONDS[unit])
        words = words[piece.end() :]
    return _bounded(sum(seconds)) if seconds else None


def named_seconds(text: str, now_ms: int) -> float | None:
    """Return the seconds, of any number, to what a text names: a wait, or a time that may be over; None: nothing."""
    number = _number(text)
    if number is None:
        found = _duration(text.strip())
        return _until(text.strip(), now_ms) if found is None else found
    if number >= _FIRST_TIME_MS:
        return (number - now_ms) * _MS
    return number - now_ms * _MS if number >= _FIRST_TIME_SECONDS else number


def _until(text: str, now_ms: int) -> float | None:
    """Return the seconds until an HTTP date, or a time of RFC 3339; one without a time zone is in UTC."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - few name a date

    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            at = read(text[:_LONGEST_CHARS])
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now_ms * _MS
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _number(text: str) -> float | None:
    word = text.strip()
    return min(float(word), _HUGE) if len(word) <= _LONGEST_CHARS and re.fullmatch(_NUMBER, word) else None


def _bounded(seconds: float | None) -> float | None:
    return None if seconds is None or not isfinite(seconds) else min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)
