"""How the text of an environment variable is read. Pure.

Each raises ValueError with what the value should be: "X is not …". Invariant: what leaves this machine is encrypted, so
an address with http is refused unless it is a loopback one.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from baton.configuration.loopback import is_loopback
from baton.configuration.prices import LIST, Prices
from baton_events.schema import WEBHOOK_ENDPOINTS

_TOPIC_PREFIX = re.compile(r"^[A-Za-z0-9_.-]+$")
_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
API_KEY_ENTRY = re.compile(r"(client|admin):([A-Za-z0-9_.-]{1,64}):([0-9a-f]{64})")


def text(given: str) -> str:
    """As it is."""
    return given


def whole(minimum: int, maximum: int) -> Callable[[str], int]:
    """A number without a fraction, within limits."""

    def read(given: str) -> int:
        if not re.fullmatch(r"\d+", given) or not minimum <= int(given) <= maximum:
            raise ValueError(f"a whole number from {minimum} to {maximum}")
        return int(given)

    return read


def one_of(*allowed: str) -> Callable[[str], str]:
    """One of a few words."""

    def read(given: str) -> str:
        if given not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return given

    return read


def flag(given: str) -> bool:
    """Yes or no."""
    if given.lower() not in ("true", "false", "1", "0"):
        raise ValueError("true or false")
    return given.lower() in ("true", "1")


def url(given: str) -> str:
    """An address without a query and without its last slash."""
    if not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", given):
        raise ValueError("a URL such as https://example.com/base, without query")
    _require_https(given)
    return given.rstrip("/")


def dsn(given: str) -> str:
    """Where Sentry takes reports: a URL with a key in it."""
    if not re.fullmatch(r"https?://[^@/\s]+@[^/\s]+/\S+", given):
        raise ValueError("a DSN such as https://KEY@sentry.example.com/1")
    _require_https(given)
    return given


def _require_https(given: str) -> None:
    if urlsplit(given).scheme != "https" and not is_loopback(given):
        raise ValueError("a URL with https: over http, others can read and change requests")


def worker_urls(given: str) -> tuple[tuple[str, str], ...]:
    """Endpoints with the URLs before them."""
    what = 'a JSON object of endpoints and the URLs of their functions, such as {"/workers/sweep": "https://fn.example.com"}'
    try:
        told: Any = json.loads(given)
        pairs = sorted(told.items())
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(what) from error
    unknown = [endpoint for endpoint, _ in pairs if endpoint not in WEBHOOK_ENDPOINTS]
    if unknown:
        raise ValueError(f"about endpoints that exist: {unknown[0]!r} is none of {', '.join(WEBHOOK_ENDPOINTS)}")
    try:
        return tuple((endpoint, url(each)) for endpoint, each in pairs)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{what} ({error})") from error


def deliveries_at_once(given: str) -> tuple[tuple[str, int], ...]:
    """Endpoints with how many deliveries to each are under way at once; a number is that of each."""
    if re.fullmatch(r"\d+", given):
        return tuple((endpoint, _at_once(given)) for endpoint in WEBHOOK_ENDPOINTS) if int(given) else ()
    what = 'a whole number, or a JSON object such as {"/workers/agent-loop": 40}'
    try:
        told: Any = json.loads(given)
        pairs = sorted(told.items())
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(what) from error
    unknown = [endpoint for endpoint, _ in pairs if endpoint not in WEBHOOK_ENDPOINTS]
    if unknown:
        raise ValueError(f"about endpoints that exist: {unknown[0]!r} is none of {', '.join(WEBHOOK_ENDPOINTS)}")
    return tuple((endpoint, _at_once(json.dumps(count))) for endpoint, count in pairs)


def _at_once(given: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,4}", given):
        raise ValueError(f"made of whole numbers from 1 to 99999: {given} is none")
    return int(given)


def origins(given: str) -> str:
    """Origins of pages, or all."""
    found = [part.strip() for part in given.split(",") if part.strip()]
    if any(origin != "*" and not re.fullmatch(r"https?://[^/\s?#]+", origin) for origin in found):
        raise ValueError("a comma list of origins such as https://app.example.com, without path, or *")
    return ",".join(found)


def topic_prefix(given: str) -> str:
    """What the queue takes at the beginning of a topic's name."""
    if not _TOPIC_PREFIX.match(given) or given.startswith("http") or given == "api":
        raise ValueError("letters, digits, '_', '-' and '.', not beginning with http")  # qstash.md 23
    return given


def reference(given: str) -> str:
    """A thing in a module."""
    if not _REFERENCE.fullmatch(given):
        raise ValueError("a reference such as my_company.agents:registry")
    return given


def api_keys(given: str) -> str:
    """Entries of keys; what is wrong is counted, not shown."""
    entries = [part.strip() for part in given.split(",") if part.strip()]
    wrong = [str(number) for number, entry in enumerate(entries, 1) if not API_KEY_ENTRY.fullmatch(entry)]
    if wrong:
        raise ValueError(
            "a comma list of client:TENANT:SHA256 or admin:TENANT:SHA256, as `baton keys create` prints it; look at "
            f"entry {', '.join(wrong)}"
        )
    return given


def unit_prices(given: str) -> Prices:
    """Some of the prices, in place of the list's."""
    names = [each.field for each in LIST]
    try:
        told: Any = json.loads(given)
        unknown = sorted(set(told) - set(names))
        prices = {name: float(value) for name, value in told.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError('a JSON object of prices in US dollars, such as {"command_usd": 0.0000015}') from error
    if unknown:
        raise ValueError(f"about prices that exist: {unknown[0]!r} is none of {', '.join(names)}")
    if any(not 0 <= price < math.inf for price in prices.values()):
        raise ValueError("prices of 0 or more")
    return Prices(**prices)
