"""What a setting is: one environment variable, described for people and for the code that reads it. Pure.

A reader raises ValueError with what the value should be: "X is not …". Invariant: what leaves this machine is
encrypted, so an address with http is refused unless it is a loopback one.
"""

import ipaddress
import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, cast
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


def flag(given: str) -> bool:
    if given.lower() not in ("true", "false", "1", "0"):
        raise ValueError("true or false")
    return given.lower() in ("true", "1")


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


def urls_by_endpoint(given: str) -> tuple[tuple[str, str], ...]:
    """Read endpoints with the URLs before them."""
    what = 'a JSON object of endpoints and the URLs of their functions, such as {"/workers/sweep": "https://fn.example.com"}'
    pairs = _by_endpoint(given, what)
    try:
        return tuple((endpoint, url(each)) for endpoint, each in pairs)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{what} ({error})") from error


def counts_by_endpoint(given: str) -> tuple[tuple[str, int], ...]:
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


def prefix_of_topics(given: str) -> str:
    """Check the beginning of a topic's name by the queue's rules."""
    if not re.match(_TOPIC_PREFIX, given) or given.startswith("http") or given == "api":
        raise ValueError("letters, digits, '_', '-' and '.', not beginning with http")  # qstash.md 23
    return given


def reference(given: str) -> str:
    """Check a reference to an object in a module."""
    if not re.fullmatch(_REFERENCE, given):
        raise ValueError("a reference such as my_company.agents:registry")
    return given


def keys_of_payloads(given: str) -> str:
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


if TYPE_CHECKING:
    from typing import Annotated as Annotated  # noqa: PLC0414 - for those who declare settings
else:

    class Annotated:
        """Keeps what it is given: `typing`'s makes 59 calls for each field, at each start."""

        def __class_getitem__(cls, given: tuple[Any, str, "Setting"]) -> tuple[Any, str, "Setting"]:
            return given


class Setting(Struct, frozen=True):
    """One environment variable, as `Annotated[type, help, Setting(…)] = default` of the field that has its value.

    `read` raises ValueError with what the value should be: "X is not …"; flags and a choice of words need none, and no
    `unit`. `needed`: a deployment does not work without it, unless the setting named by `instead` is there, or has the
    value that is named with it: NAME=VALUE. `where`: which functions read it. `name`: the variable's, where it is not
    the field's. `alias`: another name, read where that one is not set. The rest comes from the field; `default` is a
    text.
    """

    read: Callable[[str], Any] = text
    unit: str = ""
    secret: bool = False
    needed: bool = False
    instead: str = ""
    alias: str = ""
    where: str = EVERYWHERE
    name: str = ""
    field: str = ""
    default: str = ""
    help: str = ""

    def is_replaced(self, value_of: Callable[[str], Any]) -> bool:
        """Return whether another setting is there in place of this one; `value_of`: of a variable."""
        name, _, value = self.instead.partition("=")
        given = value_of(name) if name else ""
        return given == value if value else bool(given)


@cache
def settings_of(record: type[Struct]) -> tuple[Setting, ...]:
    """Return the settings that a record's fields declare, those of its bases first."""
    defaults = dict(zip(record.__struct_fields__, record.__struct_defaults__, strict=True))
    hints = [hint for base in reversed(record.__mro__) for hint in getattr(base, "__annotations__", {}).items()]
    return tuple(_declared(field, defaults[field], *at) for field, at in dict(hints).items() if at.__class__ is tuple)


def _declared(field: str, value: Any, kind: Any, what: str, setting: Setting) -> Setting:
    read, unit = setting.read, setting.unit
    if kind is bool:
        read, unit = flag, "flag"
    elif getattr(kind, "__origin__", None) is Literal:
        words: tuple[str, ...] = kind.__args__
        read, unit = one_of(*words), f"{', '.join(words[:-1])} or {words[-1]}"
    default = str(value).lower() if kind is bool else f"{value:g}" if kind is float else str(value)
    if not isinstance(value, str | float | int):
        default = "{}"
    name = setting.name or field.upper()
    return replace(setting, name=name, field=field, read=read, unit=unit, default=default, help=what)


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
            has_other = setting.is_replaced(lambda other: environment.get(other, "").strip())
            problems += [missing(setting)] if setting.name in needed and not has_other else []
            continue
        try:
            values[setting.field] = setting.read(given)
        except ValueError as error:
            shown = "its value" if setting.secret else repr(given)
            problems.append(f"{name}: {shown} is not {error}")
    return values, problems


def missing(setting: Setting) -> str:
    """Say that a variable is not set, nor what takes its place, and what it is for."""
    return f"{setting.name} is not set{setting.instead and f', nor {setting.instead}'}: {setting.help}"
