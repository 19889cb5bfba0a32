"""Which code this is, and whether the settings can be right, as far as they tell by themselves. Pure."""

import difflib
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

from baton.engine.state import STATE_VERSION
from baton.sdk.distribution import DISTRIBUTION
from baton.settings.settings import Settings, has, read_settings
from baton.settings.table import ALL_SETTINGS
from baton_events.errors import SettingsError
from baton_events.messages import FUNCTION_TIMEOUT_SECONDS
from baton_events.schema import SCHEMA_VERSION, WEBHOOK_ENDPOINTS
from baton_events.setting import is_loopback
from baton_local.doctor.finding import Finding, Level, failed, note, ok, warning
from baton_local.setup.wanted import unreachable_base

VERSIONS = "versions"
_PACKAGES = (DISTRIBUTION, "qstash", "upstash-redis", "upstash-vector", "upstash-ratelimit")


def versions() -> Finding:
    """Return this machine's versions; a probe's answer reports those of the functions."""
    packages = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    schemas = f"events of version {SCHEMA_VERSION}, stored state of version {STATE_VERSION}"
    return ok(VERSIONS, f"{packages}; {schemas}; Python {platform.python_version()}")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


ENVIRONMENT = "settings"
_CLOSE = 0.85
_OURS = ("QSTASH_", "UPSTASH_", "WORKER_", "BATON_", "PUBLISH_")
# Of the SDKs and of ours, and no settings of the functions.
_NO_SETTINGS = ("QSTASH_DEV", "QSTASH_DEV_PORT", "BATON_URL", "BATON_API_KEY")
_KEY_START = "sig_"
_QUEUE_PAGE = "copy it from the queue's console (https://console.upstash.com/qstash)"
_STORE_PAGE = "copy it from the page of the Redis database, part REST API (https://console.upstash.com/redis)"
_FROM = {
    "QSTASH_TOKEN": _QUEUE_PAGE,
    "QSTASH_CURRENT_SIGNING_KEY": f"{_QUEUE_PAGE}: without it every message is a 401",
    "QSTASH_NEXT_SIGNING_KEY": f"{_QUEUE_PAGE}: without it a change of keys refuses every message",
    "UPSTASH_REDIS_REST_URL": _STORE_PAGE,
    "UPSTASH_REDIS_REST_TOKEN": _STORE_PAGE,
    "WORKER_BASE_URL": "set the public address of the functions; `baton tunnel` makes one for this machine",
}


def read(environment: Mapping[str, str]) -> tuple[Settings | None, list[Finding]]:
    """Return the settings, if they can be read at all, and the findings about them."""
    try:
        settings = read_settings(environment)
    except SettingsError as error:
        problems = [line.strip(" -") for line in str(error).splitlines()[1:]]
        return None, [failed(ENVIRONMENT, problem, "correct it: no function starts with it") for problem in problems]
    found = [*_missing(settings), *_odd(settings), *_misspelt(environment)]
    refusal = unreachable_base(settings)
    if refusal:
        what, _, way_out = refusal.partition(": set ")
        found.append(failed(ENVIRONMENT, what, f"set {way_out}"))
    if all(finding.level is Level.NOTE for finding in found):
        found.insert(0, ok(ENVIRONMENT, f"queue {settings.queue_place}, functions {settings.worker_base_url}"))
    return settings, found


def _missing(settings: Settings) -> Iterator[Finding]:
    needed = [setting for setting in ALL_SETTINGS if setting.needed]
    missing = [setting for setting in needed if not has(settings, setting)]
    if missing == needed:
        way_out = "name its settings with --env-file FILE, or start `baton dev` to look at a local stack"
        yield failed(ENVIRONMENT, "no deployment is named: nothing that one needs is set", way_out)
    for setting in missing:
        yield failed(ENVIRONMENT, f"{setting.name} is not set: {setting.help}", _FROM[setting.name])
    if not settings.api_keys:
        yield note(
            ENVIRONMENT, "API_KEYS is not set: only keys of the store are accepted", "`baton keys create` makes one"
        )


def _odd(settings: Settings) -> Iterator[Finding]:
    if settings.qstash_url.endswith(("/v2", "/v2/publish")):
        yield failed(
            ENVIRONMENT, f"QSTASH_URL {settings.qstash_url} has a path of the API", "leave out all from /v2 on"
        )
    if settings.qstash_token.startswith(_KEY_START):
        yield failed(
            ENVIRONMENT, "QSTASH_TOKEN holds a signing key", "set the token; the keys have settings of their own"
        )
    if settings.redis_token and settings.redis_token == settings.qstash_token:
        yield warning(ENVIRONMENT, "store and queue have the same token", "check which of the two is the other's")
    for endpoint in WEBHOOK_ENDPOINTS:
        base = settings.endpoint_url(endpoint).removesuffix(endpoint)
        if base.endswith(("/workers", endpoint)):
            yield failed(
                ENVIRONMENT, f"{base}{endpoint} has the endpoint twice", "leave /workers out of WORKER_BASE_URL"
            )
            return
    if not is_loopback(settings.worker_base_url):
        yield from _open_to_all(settings)
    if settings.work_timeout_seconds >= FUNCTION_TIMEOUT_SECONDS:
        yield warning(
            ENVIRONMENT,
            f"WORK_TIMEOUT_SECONDS ({settings.work_timeout_seconds}) is not below the functions' own limit "
            f"({FUNCTION_TIMEOUT_SECONDS} s): work that takes so long is cut off",
            "lower it, or raise the limit in functions/baton/worker/handlers and in the deployment",
        )


def _open_to_all(settings: Settings) -> Iterator[Finding]:
    opened = {
        "ENABLE_TEST_ENDPOINT": (settings.enable_test_endpoint, "anybody runs jobs"),
        "METRICS_PUBLIC": (settings.metrics_public, "anybody reads the metrics"),
    }
    for name, (is_open, what) in opened.items():
        if is_open:
            yield warning(ENVIRONMENT, f"{name} is true: {what} without a key", f"take {name} out, outside `baton dev`")


def _misspelt(environment: Mapping[str, str]) -> Iterator[Finding]:
    known = {name for setting in ALL_SETTINGS for name in (setting.name, setting.alias)}
    for name in sorted(environment):
        if name in known or name in _NO_SETTINGS or not name.startswith(_OURS):
            continue
        meant = difflib.get_close_matches(name, sorted(known), n=1, cutoff=_CLOSE)
        if meant:
            yield warning(ENVIRONMENT, f"{name} is no setting and is not read", f"did you mean {meant[0]}?")
