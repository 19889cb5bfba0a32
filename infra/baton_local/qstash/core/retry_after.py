"""When the next attempt happens (qstash.md 10): the destination's word, then the expression, then the default.

Pure arithmetic on values; every answer is a number of milliseconds from now.
"""

import math
import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime

from baton_local.qstash.core.duration import parse_fine_duration_ms
from baton_local.qstash.core.retry_delay import ONE_DAY_MS, retry_delay_ms

# First present wins (qstash.md 10, rule 2).
_HEADERS = ("Retry-After", "X-Ratelimit-Reset", "X-Ratelimit-Reset-Requests", "X-Ratelimit-Reset-Tokens")
_SECONDS = re.compile(r"-?[0-9]{1,15}")
_DEFAULT_CAP_SECONDS = 86_400
_DEFAULT_CAPPED_FROM = 5  # e^12.5 seconds is already more than the cap


def next_delay_ms(expression: str | None, retried: int, headers: Mapping[str, Sequence[str]], now_ms: int) -> int:
    """Milliseconds to the next attempt; `retried` counts the retries already made (0 after the first attempt)."""
    asked = _asked_by_destination(headers, now_ms)
    if asked is not None:
        return asked
    if expression is not None:
        return retry_delay_ms(expression, retried)
    return default_delay_ms(retried + 1)


def default_delay_ms(retry: int) -> int:
    """The default backoff before retry 1, 2, 3 …: min(86400, e^(2.5 n)) whole seconds."""
    if retry >= _DEFAULT_CAPPED_FROM:
        return _DEFAULT_CAP_SECONDS * 1_000
    return math.floor(math.exp(2.5 * retry)) * 1_000


def _asked_by_destination(headers: Mapping[str, Sequence[str]], now_ms: int) -> int | None:
    for name in _HEADERS:
        for value in headers.get(name, ())[:1]:
            delay_ms = _parse(value.strip(), now_ms)
            if delay_ms is not None and delay_ms <= ONE_DAY_MS:  # more than a day is ignored
                return max(0, delay_ms)
    return None


def _parse(value: str, now_ms: int) -> int | None:
    if _SECONDS.fullmatch(value):
        return int(value) * 1_000
    duration_ms = parse_fine_duration_ms(value)
    if duration_ms is not None:
        return math.ceil(duration_ms)
    try:
        return math.ceil(parsedate_to_datetime(value).timestamp() * 1_000) - now_ms
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
