"""The settings of the store (its address over REST or RESP, and its form for people), and of object stores. Pure.

Invariant: the form for people has no password in it, whatever the address is, and neither has an object store's
address, which is shown.
"""

import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from baton_events.setting import is_loopback, json_object

_ADDRESS = {
    "s3": r"s3://[A-Za-z0-9.-]+(/[\w./-]*)?",
    "gs": r"gs://[A-Za-z0-9._-]+(/[\w./-]*)?",
    "az": r"az://[a-z0-9-]+(/[\w./-]*)?",
    "file": r"file:///[^\s,?#@]+",
}


def object_stores(given: str) -> str:
    """Check the addresses of object stores; return them with commas between."""
    urls = tuple(each.strip().rstrip("/") for each in given.split(",") if each.strip())
    if not urls or any(not re.fullmatch(_ADDRESS.get(urlsplit(each).scheme, "-"), each) for each in urls):
        raise ValueError("s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///FOLDER, or several")
    return ",".join(urls)


def object_options(given: str) -> tuple[tuple[str, Any], ...]:
    what = 'a JSON object of texts, numbers and flags, such as {"region": "eu-central-1"}'
    pairs = tuple(sorted(json_object(given, what).items()))
    if any(isinstance(value, list | dict) or value is None for _, value in pairs):
        raise ValueError(what)
    if dict(pairs).get("allow_http") and not is_loopback(str(dict(pairs).get("endpoint", ""))):
        raise ValueError("without allow_http, which is for an endpoint of this machine alone")
    return pairs


SCHEMES = ("redis", "rediss", "unix")
_TLS = ("ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile")
_OPTIONS = {"redis": ("cluster", "db"), "rediss": ("cluster", "db", *_TLS), "unix": ("db", "password", "username")}
# Of any other value the client's library makes something without a word; other options are texts.
_VALUES = {
    "db": r"\d{1,5}",
    "ssl_cert_reqs": "none|optional|required",
    **dict.fromkeys(("cluster", "ssl_check_hostname"), "true|false|1|0"),
}
_PLACES = {"redis": r"redis://\S+", "rediss": r"rediss://\S+", "unix": r"unix://\S*/\S+"}
_HIDDEN = "***"
_PLACE = r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d*)?(/\d*)?"


def store_address(given: str) -> str:
    """Check that an address is one, and return it unchanged.

    Raises ValueError: it is not; the message has the expected form, and no password.
    """
    scheme, _, rest = given.partition("://")
    if scheme not in SCHEMES or not re.fullmatch(_PLACES[scheme], given) or "#" in given or not _has_place(given):
        wanted = "redis://HOST:6379, rediss://USER:PASSWORD@HOST:6379 (TLS) or unix:///PATH"
        raise ValueError(f"an address such as {wanted}: {shown_address(given)!r}")
    options = parse_qs(rest.partition("?")[2], keep_blank_values=True)
    unknown = set(options) - set(_OPTIONS[scheme])
    if unknown:
        allowed = ", ".join(_OPTIONS[scheme])
        raise ValueError(f"an address with options of {scheme}:// ({allowed}); take out {', '.join(sorted(unknown))}")
    wrong = [name for name, values in options.items() if not re.fullmatch(_VALUES.get(name, ".+"), ",".join(values))]
    if wrong:
        forms = " and ".join(f"{name}={_VALUES.get(name, 'TEXT')}".replace(r"\d{1,5}", "0") for name in wrong)
        raise ValueError(f"an address with options such as {forms}, once each")
    path = urlsplit(given).path.strip("/") if scheme != "unix" else ""
    if path and ("db" in options or not re.fullmatch(_VALUES["db"], path)):
        raise ValueError("an address with the number of one database, such as redis://HOST:6379/0")
    if wants_cluster(given) and _database(given):
        raise ValueError("an address of a cluster, which has database 0 only: take the number out")
    return given


def shown_address(address: str) -> str:
    """Return the address for people: no user, no password, no options; nothing of an invalid host."""
    scheme, separator, rest = address.rpartition("://")
    if scheme == "unix":
        return f"{scheme}{separator}{rest.partition('?')[0].rpartition('@')[2]}"
    user, at, place = rest.rpartition("@")
    place = place.partition("?")[0]
    return f"{scheme}{separator}{_HIDDEN + at if user else ''}{place if re.fullmatch(_PLACE, place) else _HIDDEN}"


def user_of(address: str) -> str:
    """Return the name by which the server knows us."""
    parts = urlsplit(address)
    return unquote(parts.username or "") or parse_qs(parts.query).get("username", ["default"])[0]


def secrets_of(address: str) -> tuple[str, ...]:
    """Return the passwords in an address, both encoded and decoded."""
    if not address:
        return ()
    parts = urlsplit(address)
    found = [parts.password or "", *parse_qs(parts.query).get("password", [])]
    written = re.findall(r"[?&]password=([^&]+)", address)
    return tuple(dict.fromkeys(text for each in (*found, *written) for text in (each, unquote(each)) if text))


def wants_cluster(address: str) -> bool:
    return parse_qs(urlsplit(address).query).get("cluster", [""])[0].lower() in ("true", "1")


def without_cluster(address: str) -> str:
    """Remove that option from the address, since no client library knows it."""
    place, _, query = address.partition("?")
    kept = [option for option in query.split("&") if option and not option.startswith("cluster=")]
    return f"{place}?{'&'.join(kept)}" if kept else place


def _has_place(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return bool(parts.path.strip("/")) if parts.scheme == "unix" else bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        return False


def _database(address: str) -> str:
    parts = urlsplit(address)
    return parse_qs(parts.query).get("db", [parts.path.strip("/")])[0].strip("0")
