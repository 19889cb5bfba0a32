"""All settings in one frozen object, read once from a mapping (the environment, in production).

Invariant: whoever holds a Settings object holds valid values; wrong ones raise one SettingsError that lists every
problem. README's table is generated from `SETTINGS` and a test holds it to that. Nothing else reads the environment.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from events.errors import SettingsError, join_problems
from events.schema import DELIVERY_FAILED_ENDPOINT, ENDPOINTS, TOPIC_SUFFIXES, EventType

# What other programs keep secret in the same environment, such as the keys of model providers.
_FOREIGN_SECRET = re.compile(r".*_(API_KEY|TOKEN|SECRET|PASSWORD|SECRET_ACCESS_KEY)")
_TOPIC_PREFIX = re.compile(r"^[A-Za-z0-9_.-]+$")


def _text(text: str) -> str:
    return text


def _whole(minimum: int, maximum: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"\d+", text) or not minimum <= int(text) <= maximum:
            raise ValueError(f"a whole number from {minimum} to {maximum}")
        return int(text)

    return read


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return text

    return read


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError("true or false")
    return text.lower() in ("true", "1")


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", text):
        raise ValueError("a URL such as https://example.com/base, without query")
    return text.rstrip("/")


def _prefix(text: str) -> str:
    if not _TOPIC_PREFIX.match(text) or text.startswith("http") or text == "api":
        raise ValueError("letters, digits, '_', '-' and '.', not beginning with http")  # qstash.md 23
    return text


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable: where it goes, its default as text, its unit, and what it means."""

    name: str
    field: str
    default: str
    unit: str
    help: str
    read: Callable[[str], Any] = _text
    secret: bool = False


SETTINGS = (
    Setting("QSTASH_URL", "qstash_url", "https://qstash.upstash.io", "URL", "the queue", _url),
    Setting("QSTASH_TOKEN", "qstash_token", "", "", "token for publishing", secret=True),
    Setting(
        "QSTASH_CURRENT_SIGNING_KEY", "current_signing_key", "", "", "verifies incoming events; none: 401", secret=True
    ),
    Setting("QSTASH_NEXT_SIGNING_KEY", "next_signing_key", "", "", "tried after the current key", secret=True),
    Setting(
        "QSTASH_TOPIC_PREFIX",
        "topic_prefix",
        "agent",
        "",
        "what stands before the dot in topic names",
        _prefix,
    ),
    Setting("PUBLISH_BY", "publish_by", "url", "url or topic", "how events are addressed", _one_of("url", "topic")),
    Setting("WORKER_BASE_URL", "worker_base_url", "", "URL", "where the functions are; may carry a path", _url),
    Setting("UPSTASH_REDIS_REST_URL", "redis_url", "", "URL", "the store", _url),
    Setting("UPSTASH_REDIS_REST_TOKEN", "redis_token", "", "", "token of the store", secret=True),
    Setting(
        "UPSTASH_VECTOR_REST_URL",
        "vector_url",
        "",
        "URL",
        "the vector index of long-term memory; none: only session memory",
        _url,
    ),
    Setting("UPSTASH_VECTOR_REST_TOKEN", "vector_token", "", "", "token of the vector index", secret=True),
    Setting("BATON_APP", "app", "functions.agents:registry", "module:attribute", "the registry of agents and tools"),
    Setting(
        "CONTINUATION",
        "continuation",
        "queue",
        "queue or inline",
        "publish each following event, or continue in place",
        _one_of("queue", "inline"),
    ),
    Setting(
        "MESSAGE_MAX_DELAY_SECONDS",
        "message_max_delay_seconds",
        "604800",
        "seconds",
        "longest delay that the queue's plan allows; longer waits go in hops",
        _whole(60, 31_536_000),
    ),
    Setting("MESSAGE_RETRIES", "message_retries", "3", "count", "delivery attempts after the first", _whole(1, 20)),
    Setting(
        "MESSAGE_RETRY_DELAY_MS",
        "message_retry_delay_ms",
        "10000",
        "ms",
        "wait between delivery attempts",
        _whole(0, 86_400_000),
    ),
    Setting(
        "WORK_TIMEOUT_SECONDS",
        "work_timeout_seconds",
        "120",
        "s",
        "limit of one model call or tool run",
        _whole(1, 840),
    ),
    Setting(
        "MESSAGE_TIMEOUT_SECONDS",
        "message_timeout_seconds",
        "300",
        "s",
        "limit of one delivery (Upstash-Timeout); above the work limit",
        _whole(2, 900),
    ),
    Setting("STORE_TIMEOUT_SECONDS", "store_timeout_seconds", "10", "s", "limit of one store request", _whole(1, 60)),
    Setting("QUEUE_TIMEOUT_SECONDS", "queue_timeout_seconds", "10", "s", "limit of one publish", _whole(1, 60)),
    Setting("VECTOR_TIMEOUT_SECONDS", "vector_timeout_seconds", "5", "s", "limit of one vector request", _whole(1, 60)),
    Setting(
        "RESULT_LIMIT_BYTES", "result_limit_bytes", "1000000", "bytes", "largest tool result", _whole(1, 8_000_000)
    ),
    Setting(
        "JOB_RETENTION_SECONDS",
        "job_retention_seconds",
        "2592000",
        "s",
        "how long a job's data is kept after its end",
        _whole(1, 315_360_000),
    ),
    Setting(
        "SWEEP_INTERVAL_SECONDS",
        "sweep_interval_seconds",
        "60",
        "s",
        "how often the sweep looks while jobs run",
        _whole(1, 3600),
    ),
    Setting(
        "MAX_CONCURRENT_JOBS",
        "max_concurrent_jobs",
        "100",
        "count",
        "how many jobs may hold a slot at once; waiting jobs hold none",
        _whole(1, 100_000),
    ),
    Setting("API_KEYS", "api_keys", "", "role:tenant:sha256, …", "who may use the API; only hashes", secret=True),
    Setting("OPERATIONS_API_KEY", "operations_api_key", "", "", "key of outside completions", secret=True),
    Setting("ENABLE_TEST_ENDPOINT", "enable_test_endpoint", "false", "flag", "serve POST /test/simple", _flag),
    Setting("METRICS_PUBLIC", "metrics_public", "false", "flag", "serve metrics without a key", _flag),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, with its default; see SETTINGS for names, units and meaning.

    `foreign_keys`: values of other variables named as secrets are; known only in order not to be shown.
    """

    qstash_url: str = "https://qstash.upstash.io"
    qstash_token: str = ""
    current_signing_key: str = ""
    next_signing_key: str = ""
    topic_prefix: str = "agent"
    publish_by: Literal["url", "topic"] = "url"
    worker_base_url: str = ""
    redis_url: str = ""
    redis_token: str = ""
    vector_url: str = ""
    vector_token: str = ""
    app: str = "functions.agents:registry"
    continuation: Literal["queue", "inline"] = "queue"
    message_max_delay_seconds: int = 604_800
    message_retries: int = 3
    message_retry_delay_ms: int = 10_000
    work_timeout_seconds: int = 120
    message_timeout_seconds: int = 300
    store_timeout_seconds: int = 10
    queue_timeout_seconds: int = 10
    vector_timeout_seconds: int = 5
    result_limit_bytes: int = 1_000_000
    job_retention_seconds: int = 2_592_000
    sweep_interval_seconds: int = 60
    max_concurrent_jobs: int = 100
    api_keys: str = ""
    operations_api_key: str = ""
    enable_test_endpoint: bool = False
    metrics_public: bool = False
    foreign_keys: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without secrets: settings end up in logs."""
        secret = {"foreign_keys", *(setting.field for setting in SETTINGS if setting.secret)}
        shown = (f"{f.name}={'***' if f.name in secret else getattr(self, f.name)!r}" for f in fields(self))
        return f"Settings({', '.join(shown)})"

    @property
    def secret_values(self) -> tuple[str, ...]:
        """Every value that must not be shown."""
        own = (getattr(self, setting.field) for setting in SETTINGS if setting.secret)
        return (*(value for value in own if value), *self.foreign_keys)

    def endpoint_url(self, endpoint: str) -> str:
        """The public URL of an endpoint: what the queue delivers to and what signatures are checked against."""
        return self.worker_base_url + endpoint

    def event_url(self, event_type: EventType) -> str:
        """The public URL of the function that handles this event type."""
        return self.endpoint_url(ENDPOINTS[event_type])

    def topic(self, event_type: EventType) -> str:
        """The topic of this event type: `agent.agent-loop-init`."""
        return f"{self.topic_prefix}.{TOPIC_SUFFIXES[event_type]}"

    @property
    def failure_callback_url(self) -> str:
        """Where the queue reports messages that it gave up on."""
        return self.endpoint_url(DELIVERY_FAILED_ENDPOINT)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from a mapping of environment variables; empty values count as unset.

    Raises:
        SettingsError: one or more values are wrong; all are listed.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for setting in SETTINGS:
        text = environment.get(setting.name, "").strip()
        if not text:
            continue
        try:
            values[setting.field] = setting.read(text)
        except ValueError as error:
            shown = "its value" if setting.secret else repr(text)
            problems.append(f"{setting.name}: {shown} is not {error}")
    known = {setting.name for setting in SETTINGS}
    foreign = (name for name in sorted(environment) if name not in known and _FOREIGN_SECRET.fullmatch(name))
    values["foreign_keys"] = tuple(text for name in foreign if (text := environment[name].strip()))
    settings = Settings(**values)
    if settings.message_timeout_seconds <= settings.work_timeout_seconds:
        problems.append(
            f"MESSAGE_TIMEOUT_SECONDS ({settings.message_timeout_seconds}) must be above WORK_TIMEOUT_SECONDS "
            f"({settings.work_timeout_seconds}): the queue would give up on work that still runs"
        )
    if bool(settings.vector_url) != bool(settings.vector_token):
        problems.append("UPSTASH_VECTOR_REST_URL and UPSTASH_VECTOR_REST_TOKEN go together: set both or neither")
    if problems:
        raise SettingsError(join_problems("wrong settings:", problems))
    return settings


def require(settings: Settings, *names: str) -> None:
    """Check that these environment variables are set.

    Raises:
        SettingsError: some are missing; all are listed.
    """
    by_name = {setting.name: setting for setting in SETTINGS}
    missing = [name for name in names if not getattr(settings, by_name[name].field)]
    if missing:
        problems = [f"{name} is not set: {by_name[name].help}" for name in missing]
        raise SettingsError(join_problems("missing settings:", problems))


def settings_from_environment() -> Settings:
    """Settings of this process: the one place that reads the environment."""
    return read_settings(os.environ)  # noqa: TID251 - the one place
