"""Durations as text: `1d10h30m` from callers, `6m5.2s` from destinations (qstash.md 2).

Pure parsing. Digits are bounded so that a hostile number costs nothing.
"""

import re

from baton_local.qstash.core.errors import bad_request

_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART = re.compile(r"([0-9]{1,12})([smhd])")
_WHOLE = re.compile(r"(?:[0-9]{1,12}[smhd]){1,16}")

_FINE_UNIT_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}
_FINE_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})(ns|us|µs|μs|ms|s|m|h)")
_FINE_WHOLE = re.compile(rf"(?:{_FINE_PART.pattern}){{1,16}}")


def parse_duration_ms(text: str, field: str) -> int:
    """Milliseconds of a caller's duration such as `50s` or `1h30m3s`; 400 naming the field otherwise."""
    if not _WHOLE.fullmatch(text):
        raise bad_request(f"{field}: {text[:80]!r} is not a duration; write it like 50s, 10m or 1d10h30m")
    return sum(int(number) * _UNIT_MS[unit] for number, unit in _PART.findall(text))


def parse_fine_duration_ms(text: str) -> float | None:
    """Milliseconds of a destination's duration (`6m5s`, `1.5s`, `20ms`), or None if it is none."""
    if not _FINE_WHOLE.fullmatch(text):
        return None
    return sum(float(number) * _FINE_UNIT_MS[unit] for number, unit in _FINE_PART.findall(text))
