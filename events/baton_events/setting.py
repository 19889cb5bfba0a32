"""What a setting is: one environment variable, described for people and for the code that reads it. Pure.

A reader raises ValueError with what the value should be: "X is not …". Invariant: what leaves this machine is
encrypted, so an address with http is refused unless it is a loopback one.
"""

import ipaddress
import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isfinite
from typing import Any, cast
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from baton_events.schema import WEBHOOK_ENDPOINTS

EVERYWHERE = "all functions"
_REFERENCE = r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*"
_KEY_ID, _KEY_BYTES = r"[A-Za-z0-9_-]{1,32}", 32
_TOPIC_PREFIX = r"^[A-Za-z0-9_.-]+$"
_NAME = r"[A-Za-z0-9_.-]{1,64}"
HOST = r"(\[[0-9a-fA-F:.]+\]|[\w-]+(\.[\w-]+)*\.?)(:\d{1,5})?"
_URL = rf"https?://([^/\s?#]+@)?{HOST}(/[^\s?#]*)?"


def is_loopback(url: str) -> bool:
    """Return whether a URL leads to the machine that asks."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def text(given: str) -> str:
    """Return the text as it is."""
    return given


def token(given: str) -> str:
    """Check a word that goes into a header, or stands for one: quotation marks around it would be part of it."""
    if not re.fullmatch(r"[!#-&(-~]+", given):
        raise ValueError("one word of ASCII letters, digits and signs, without quotation marks")
    return given


def tenant_name(given: str) -> str:
    """Check the name of a tenant, as API keys have it."""
    if not re.fullmatch(_NAME, given):
        raise ValueError("1 to 64 letters, digits, '_', '-' and '.'")
    return given


def json_object(given: str, what: str) -> dict[str, Any]:
    """Read a JSON object that has each name once, and numbers that JSON has; `what`: the value that is asked for."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError(what)
        return dict(pairs)

    def finite(number: str) -> float:
        if not isfinite(value := float(number)):
            raise ValueError(what)
        return value

    try:
        found: Any = json.loads(given, object_pairs_hook=once, parse_float=finite, parse_constant=finite)
    except (ValueError, RecursionError) as error:
        raise ValueError(what) from error
    if not isinstance(found, dict):
        raise ValueError(what)  # noqa: TRY004 - of the setting's text
    return cast("dict[str, Any]", found)


def whole(minimum: int, maximum: int) -> Callable[[str], int]:
    """Return a reader of whole numbers within limits."""

    def read(given: str) -> int:
        if not re.fullmatch(r"[0-9]{1,19}", given) or not minimum <= int(given) <= maximum:
            raise ValueError(f"a whole number from {minimum} to {maximum}")
        return int(given)

    return read


def one_of(*allowed: str) -> Callable[[str], str]:
    """Return a reader that takes one of a few words."""

    def read(given: str) -> str:
        if given not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return given

    return read


def url(given: str) -> str:
    """Read an address without a query; drop its last slash."""
    try:
        is_one = re.fullmatch(_URL, given) and given.isprintable() and urlsplit(given).port != 0
    except ValueError:  # a host or port that is none
        is_one = False
    if not is_one:
        raise ValueError("a URL such as https://example.com/base, without query")
    require_https(given)
    return given.rstrip("/")


def require_https(given: str) -> None:
    """Refuse an address with http, unless it is a loopback one."""
    if urlsplit(given).scheme != "https" and not is_loopback(given):
        raise ValueError("a URL with https: over http, others can read and change requests")


def worker_urls(given: str) -> tuple[tuple[str, str], ...]:
    """Read endpoints with the URLs before them."""
    what = 'a JSON object of endpoints and the URLs of their functions, such as {"/workers/sweep": "https://fn.example.com"}'
    pairs = _by_endpoint(given, what)
    try:
        return tuple((endpoint, url(each)) for endpoint, each in pairs)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{what} ({error})") from error


def deliveries_at_once(given: str) -> tuple[tuple[str, int], ...]:
    """Read endpoints with how many deliveries each may have at once; a bare number is that of each."""
    if re.fullmatch(r"[0-9]{1,19}", given):
        return tuple((endpoint, _at_once(given)) for endpoint in WEBHOOK_ENDPOINTS) if int(given) else ()
    what = 'a whole number, or a JSON object such as {"/workers/agent-loop": 40}'
    pairs = _by_endpoint(given, what)
    return tuple((endpoint, _at_once(json.dumps(count))) for endpoint, count in pairs)


def _by_endpoint(given: str, what: str) -> list[tuple[str, Any]]:
    """Return the pairs of a JSON object whose names are endpoints, in order; `what`: the value that is asked for."""
    pairs = sorted(json_object(given, what).items())
    unknown = [endpoint for endpoint, _ in pairs if endpoint not in WEBHOOK_ENDPOINTS]
    if unknown:
        raise ValueError(f"about endpoints that exist: {unknown[0]!r} is none of {', '.join(WEBHOOK_ENDPOINTS)}")
    return pairs


def _at_once(given: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,4}", given):
        raise ValueError(f"made of whole numbers from 1 to 99999: {given} is none")
    return int(given)


def topic_prefix(given: str) -> str:
    """Check the beginning of a topic's name by the queue's rules."""
    if not re.match(_TOPIC_PREFIX, given) or given.startswith("http") or given == "api":
        raise ValueError("letters, digits, '_', '-' and '.', not beginning with http")  # qstash.md 23
    return given


def reference(given: str) -> str:
    """Check a reference to an object in a module."""
    if not re.fullmatch(_REFERENCE, given):
        raise ValueError("a reference such as my_company.agents:registry")
    return given


def payload_keys(given: str) -> str:
    """Check the keys that seal payloads; none of them is shown."""
    payload_keys_in(given)
    return given


def payload_keys_in(given: str) -> tuple[tuple[str, bytes], ...]:
    """Return the keys of payloads, by id; an empty first one stands for none that seals.

    Raises ValueError: an entry is wrong, which its number tells.
    """
    entries, found = [part.strip() for part in given.split(",") if given], list[tuple[str, bytes]]()
    for number, entry in enumerate(entries, 1):
        key_id, _, secret = entry.partition(":")
        if not entry and number == 1 and len(entries) > 1:
            found.append(("", b""))
            continue
        try:
            key = b64decode(secret, validate=True)
        except ValueError:
            key = b""
        if not re.fullmatch(_KEY_ID, key_id) or len(key) != _KEY_BYTES or key_id in dict(found):
            raise ValueError(
                f"a comma list of ID:BASE64, each of {_KEY_BYTES} bytes and an id of its own, as `baton keys payload`"
                f" prints them; look at entry {number}"
            )
        found.append((key_id, key))
    return tuple(found)


class Setting(Struct, frozen=True):
    """One environment variable: where it goes, its default as text, its unit, and what it means.

    `read` raises ValueError with what the value should be: "X is not …". `needed`: a deployment does not work without
    it, unless the setting named by `instead` is there. `where`: which functions read it. `alias`: another name,
    read where that one is not set. `own_field`: the field that has its value, where that has not its name.
    """

    name: str
    default: str
    unit: str
    help: str
    read: Callable[[str], Any] = text
    secret: bool = False
    needed: bool = False
    instead: str = ""
    alias: str = ""
    where: str = EVERYWHERE
    own_field: str = ""

    @property
    def field(self) -> str:
        return self.own_field or self.name.lower()


def read_by(where: str, *settings: Setting) -> Iterator[Setting]:
    """Return these settings, with who reads them."""
    return (replace(setting, where=where) for setting in settings)


def read_values(
    environment: Mapping[str, str], settings: Iterable[Setting], needed: Iterable[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """Read variables; empty ones count as unset. Returns values by field, and what is wrong or missing."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for setting in settings:
        name = setting.name if environment.get(setting.name, "").strip() else setting.alias
        given = environment.get(name, "").strip()
        if not given:
            has_other = bool(environment.get(setting.instead, "").strip())
            problems += [missing(setting)] if setting.name in needed and not has_other else []
            continue
        try:
            values[setting.field] = setting.read(given)
        except ValueError as error:
            shown = "its value" if setting.secret else repr(given)
            problems.append(f"{name}: {shown} is not {error}")
    return values, problems


def missing(setting: Setting) -> str:
    """Say that a variable is not set, and what it is for."""
    return f"{setting.name} is not set: {setting.help}"
