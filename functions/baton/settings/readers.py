"""Parsers of environment variables that only functions need (others: baton_events/settings.py). Pure.

Each raises ValueError with the expected form: "X is not …".
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable

from baton.settings.service_prices import LIST, Prices
from baton_events.setting import HOST, json_object, require_https, url

_ORIGIN = r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9_-]+(\.[a-z0-9_-]+)*)(:(?P<port>\d{1,5}))?"
_OWN_PORTS = (("https", 443), ("http", 80))
_SECRET_PREFIX, _SECRET_BYTES = "whsec_", range(24, 65)
_MOST_USD = 1_000_000
API_KEY_ENTRY = r"(client|admin):([A-Za-z0-9_.-]{1,64}):([0-9a-f]{64})"


def dsn(given: str) -> str:
    """Check the address of Sentry's reports: a URL with a key in it."""
    if not re.fullmatch(rf"https?://[^@/\s:]+(:[^@/\s]*)?@{HOST}(/[^\s?#]*)?/\d+", given):
        raise ValueError("a DSN such as https://KEY@sentry.example.com/1")
    require_https(given)
    return given


def share(given: str) -> float:
    if not re.fullmatch(r"0(\.\d+)?|\.\d+|1(\.0+)?", given):
        raise ValueError("a number from 0 to 1, such as 0.1")
    return float(given)


def origins(given: str) -> str:
    """Check a list of pages' origins as browsers write them, or `*`: any other one would never match."""
    what = "a comma list of origins as browsers send them, such as https://app.example.com, or *: in small letters,"
    found = _parts(given, what)
    for origin in found:
        written = re.fullmatch(_ORIGIN, origin)
        port = int(written["port"] or "1") if written else 0
        if origin != "*" and not (written and 0 < port < 65_536 and (written[1], port) not in _OWN_PORTS):  # noqa: PLR2004
            raise ValueError(f"{what} without path, wildcard, or port 443 of https and 80 of http")
    return ",".join(found)


def one_or_two_urls(given: str) -> str:
    """Check an address, or two with a comma between."""
    found = [url(part.strip()) for part in given.split(",")]
    if len(found) > 2:  # noqa: PLR2004 - as the name says
        raise ValueError("one URL, or two with a comma between")
    return ",".join(found)


def hashed_keys(given: str) -> str:
    """Check entries of keys; faulty ones are counted, not shown."""
    what = "a comma list of client:TENANT:SHA256 or admin:TENANT:SHA256, as `baton keys create` prints it"
    found = [re.fullmatch(API_KEY_ENTRY, entry) for entry in _parts(given, what)]
    hashes = [entry[3] if entry else "" for entry in found]
    wrong = [str(at) for at, each in enumerate(hashes, 1) if not each or each in hashes[: at - 1]]
    if wrong:
        raise ValueError(f"{what}, each key once; look at entry {', '.join(wrong)}")
    return given


def callback_secret(given: str) -> str:
    """Check the secret of callbacks; it is not shown."""
    callback_key(given)
    return given


def callback_key(given: str) -> bytes:
    """Return the key that a secret stands for, as every library of Standard Webhooks reads it."""
    coded = given.removeprefix(_SECRET_PREFIX)
    try:
        key = b64decode(coded)
    except ValueError:
        key = b""
    if given == coded or b64encode(key).decode() != coded or len(key) not in _SECRET_BYTES:
        size = f"{_SECRET_BYTES[0]} to {_SECRET_BYTES[-1]} random bytes"
        raise ValueError(f"{_SECRET_PREFIX} and the Base64 of {size}, such as `openssl rand -base64 32` prints")
    return key


def media_types(given: str) -> str:
    what = "a comma list of media types in small letters, such as image/*,application/pdf"
    found = _parts(given, what)
    if not all(re.fullmatch(r"[a-z0-9*.+_-]+/[a-z0-9*.+_-]+", each) for each in found):
        raise ValueError(what)
    return ",".join(found)


def stream_name(given: str) -> str:
    """Check the name of a stream that other programs write."""
    if given.startswith("baton:") or given == "operations:dead" or re.search(r"[\s\"']", given):
        raise ValueError(
            "the name of a stream of your own, without blanks and quotation marks; baton:… and operations:dead are ours"
        )
    return given


def host_and_port(given: str) -> str:
    """Check an address without a scheme."""
    if not re.fullmatch(HOST, given) or not re.search(r":\d+$", given):
        raise ValueError("HOST:PORT")
    return given


def _parts(given: str, what: str) -> list[str]:
    """Return the entries of a comma list, of which there is one at least; `what`: the value that is asked for."""
    found = [part.strip() for part in given.split(",") if part.strip()]
    if not found:
        raise ValueError(what)
    return found


def words_of(*allowed: str) -> Callable[[str], str]:
    """Return a reader of a comma list of some words."""

    def read(given: str) -> str:
        what = f"a comma list of {', '.join(allowed)}"
        found = _parts(given, what)
        if not set(found) <= set(allowed):
            raise ValueError(what)
        return ",".join(found)

    return read


def unit_prices(given: str) -> Prices:
    """Parse prices that replace some of the list's."""
    names = [each.field for each in LIST]
    prices = json_object(given, what := 'a JSON object of prices in US dollars, such as {"command_usd": 0.0000015}')
    unknown = sorted(set(prices) - set(names))
    if unknown:
        raise ValueError(f"about prices that exist: {unknown[0]!r} is none of {', '.join(names)}")
    if any(price.__class__ not in (int, float) or not 0 <= price <= _MOST_USD for price in prices.values()):
        raise ValueError(f"{what}, from 0 to {_MOST_USD}")
    return Prices(**{name: float(price) for name, price in prices.items()})
