"""Parsers of environment variables that only functions need (others: baton_events/settings.py). Pure.

Each raises ValueError with the expected form: "X is not …".
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any

from baton.settings.service_prices import LIST, Prices
from baton_events.setting import require_https, url

API_KEY_ENTRY = r"(client|admin):([A-Za-z0-9_.-]{1,64}):([0-9a-f]{64})"


def flag(given: str) -> bool:
    """Parse a yes or no."""
    if given.lower() not in ("true", "false", "1", "0"):
        raise ValueError("true or false")
    return given.lower() in ("true", "1")


def dsn(given: str) -> str:
    """Check the address of Sentry's reports: a URL with a key in it."""
    if not re.fullmatch(r"https?://[^@/\s]+@[^/\s]+/\S+", given):
        raise ValueError("a DSN such as https://KEY@sentry.example.com/1")
    require_https(given)
    return given


def share(given: str) -> float:
    """Parse a share of a whole."""
    if not re.fullmatch(r"0(\.\d+)?|\.\d+|1(\.0+)?", given):
        raise ValueError("a number from 0 to 1, such as 0.1")
    return float(given)


def origins(given: str) -> str:
    """Check a list of pages' origins, or `*`."""
    found = [part.strip() for part in given.split(",") if part.strip()]
    if any(origin != "*" and not re.fullmatch(r"https?://[^/\s?#]+", origin) for origin in found):
        raise ValueError("a comma list of origins such as https://app.example.com, without path, or *")
    return ",".join(found)


def one_or_two_urls(given: str) -> str:
    """Check an address, or two with a comma between."""
    found = [url(part.strip()) for part in given.split(",")]
    if len(found) > 2:  # noqa: PLR2004 - as the name says
        raise ValueError("one URL, or two with a comma between")
    return ",".join(found)


def api_keys(given: str) -> str:
    """Check entries of keys; faulty ones are counted, not shown."""
    entries = [part.strip() for part in given.split(",") if part.strip()]
    wrong = [str(number) for number, entry in enumerate(entries, 1) if not re.fullmatch(API_KEY_ENTRY, entry)]
    if wrong:
        raise ValueError(
            "a comma list of client:TENANT:SHA256 or admin:TENANT:SHA256, as `baton keys create` prints it; look at "
            f"entry {', '.join(wrong)}"
        )
    return given


def words_of(*allowed: str) -> Callable[[str], str]:
    """Return a reader of a comma list of some words."""

    def read(given: str) -> str:
        found = [part.strip() for part in given.split(",") if part.strip()]
        if not set(found) <= set(allowed):
            raise ValueError(f"a comma list of {', '.join(allowed)}")
        return ",".join(found)

    return read


def unit_prices(given: str) -> Prices:
    """Parse prices that replace some of the list's."""
    names = [each.field for each in LIST]
    try:
        document: Any = json.loads(given)
        unknown = sorted(set(document) - set(names))
        prices = {name: float(value) for name, value in document.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError('a JSON object of prices in US dollars, such as {"command_usd": 0.0000015}') from error
    if unknown:
        raise ValueError(f"about prices that exist: {unknown[0]!r} is none of {', '.join(names)}")
    if any(not 0 <= price < math.inf for price in prices.values()):
        raise ValueError("prices of 0 or more")
    return Prices(**prices)
