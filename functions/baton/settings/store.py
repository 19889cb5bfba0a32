"""The settings of the store: its address over REST, or over RESP, and its form for people. Pure.

Invariant: the form for people has no password in it, whatever the address is.
"""

import re
from urllib.parse import parse_qs, unquote, urlsplit

from baton_events.setting import EVERYWHERE, Setting, read_by, url, whole

SCHEMES = ("redis", "rediss", "unix")
_TLS = ("ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile")
_OPTIONS = {"redis": ("cluster", "db"), "rediss": ("cluster", "db", *_TLS), "unix": ("db", "password", "username")}
_PLACES = {"redis": r"redis://\S+", "rediss": r"rediss://\S+", "unix": r"unix://\S*/\S+"}
_HIDDEN = "***"
_PLACE = r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d*)?(/\d*)?"


def store_address(given: str) -> str:
    """Check that an address is one, and return it unchanged.

    Raises:
        ValueError: it is not; the message has the expected form, and no password.
    """
    scheme, _, rest = given.partition("://")
    if scheme not in SCHEMES or not re.fullmatch(_PLACES[scheme], given) or "#" in given or not _has_place(given):
        wanted = "redis://HOST:6379, rediss://USER:PASSWORD@HOST:6379 (TLS) or unix:///PATH"
        raise ValueError(f"an address such as {wanted}: {shown_address(given)!r}")
    unknown = set(parse_qs(rest.partition("?")[2], keep_blank_values=True)) - set(_OPTIONS[scheme])
    if unknown:
        allowed = ", ".join(_OPTIONS[scheme])
        raise ValueError(f"an address with options of {scheme}:// ({allowed}); take out {', '.join(sorted(unknown))}")
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


def secrets_of(address: str) -> tuple[str, ...]:
    """Return the passwords in an address, both encoded and decoded."""
    if not address:
        return ()
    parts = urlsplit(address)
    found = [parts.password or "", *parse_qs(parts.query).get("password", [])]
    written = re.findall(r"[?&]password=([^&]+)", address)
    return tuple(dict.fromkeys(text for each in (*found, *written) for text in (each, unquote(each)) if text))


def wants_cluster(address: str) -> bool:
    """Return whether the address marks its server as one of a cluster."""
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


STORE_SETTINGS = tuple(
    read_by(
        EVERYWHERE,
        Setting(
            "UPSTASH_REDIS_REST_URL",
            "redis_url",
            "",
            "URL",
            "the store",
            url,
            needed=True,
            instead="REDIS_URL",
            alias="UPSTASH_REDIS_URL",
        ),
        Setting(
            "UPSTASH_REDIS_REST_TOKEN",
            "redis_token",
            "",
            "",
            "token of the store",
            secret=True,
            needed=True,
            instead="REDIS_URL",
            alias="UPSTASH_REDIS_TOKEN",
        ),
        Setting(
            "REDIS_URL",
            "resp_url",
            "",
            "URL",
            "instead of both: a Valkey or Redis ≥ 7 over RESP, as `redis://`, `rediss://` or `unix://` (extra `redis`)",
            store_address,
            secret=True,
        ),
        Setting(
            "EVENT_RETENTION_SECONDS",
            "event_retention_seconds",
            "86400",
            "s",
            "how long the first app event of a name and key is kept for calls of `wait_for_event` that come later",
            whole(1, 31_536_000),
        ),
    )
)
