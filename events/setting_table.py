"""Every environment variable: its name, default, unit, meaning, and how its text is read.

README's table is generated from `SETTINGS`, and a test holds it to that. Must not: read the environment.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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


def _origins(text: str) -> str:
    origins = [part.strip() for part in text.split(",") if part.strip()]
    if any(origin != "*" and not re.fullmatch(r"https?://[^/\s?#]+", origin) for origin in origins):
        raise ValueError("a comma list of origins such as https://app.example.com, without path, or *")
    return ",".join(origins)


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
    Setting("DEFAULT_AGENT", "default_agent", "", "", "whom a chat talks to that names no agent; none: the first one"),
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
        "STREAM_BATCH_MS",
        "stream_batch_ms",
        "100",
        "ms",
        "how often what a model says is appended to the stream while it says it",
        _whole(0, 60_000),
    ),
    Setting(
        "STREAM_BATCH_BYTES",
        "stream_batch_bytes",
        "400",
        "bytes",
        "and after how much of it at the latest; 0: texts come whole, with their turn",
        _whole(0, 1_000_000),
    ),
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
        "OPERATIONS_STREAM_SECONDS",
        "operations_stream_seconds",
        "60",
        "s",
        "how often the stream `operations:completed` is read while an operation waits; 0: never",
        _whole(0, 3600),
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
    Setting(
        "ALERT_WEBHOOK_URL",
        "alert_webhook_url",
        "",
        "URL",
        "is told of what needs a person, as Slack's incoming webhooks are; unset: only the log",
        _url,
        secret=True,
    ),
    Setting("LOG_FORMAT", "log_format", "json", "json or text", "how our logs are written", _one_of("json", "text")),
    Setting(
        "LOG_LEVEL",
        "log_level",
        "INFO",
        "DEBUG, INFO, WARNING or ERROR",
        "what our logs leave out: everything below",
        _one_of("DEBUG", "INFO", "WARNING", "ERROR"),
    ),
    Setting("ENABLE_CHAT_PAGE", "enable_chat_page", "false", "flag", "serve a page that chats, at /chat", _flag),
    Setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "otel_endpoint",
        "",
        "URL",
        "where traces go, by OTLP over HTTP (extra `otel`); unset: nobody traces",
        _url,
    ),
    Setting("OTEL_SERVICE_NAME", "otel_service_name", "baton", "", "the name of this deployment in traces"),
    Setting(
        "SENTRY_DSN",
        "sentry_dsn",
        "",
        "URL",
        "where our errors are reported (extra `sentry`); unset: nowhere",
        secret=True,
    ),
    Setting("METRICS_PUBLIC", "metrics_public", "false", "flag", "serve metrics without a key", _flag),
    Setting(
        "METRICS_TOKEN", "metrics_token", "", "", "bearer token that may read metrics, and nothing else", secret=True
    ),
    Setting(
        "RATE_LIMIT_PER_MINUTE",
        "rate_limit_per_minute",
        "600",
        "count",
        "requests to the API a minute with one key, and as many at once at most; 0: no limit",
        _whole(0, 60_000),
    ),
    Setting(
        "AUDIT_LOG_LENGTH",
        "audit_log_length",
        "10000",
        "count",
        "how many actions of operators are kept, about",
        _whole(1, 1_000_000),
    ),
    Setting(
        "CORS_ORIGINS",
        "cors_origins",
        "",
        "https://…, …",
        "which pages of other origins may call the API with a key; `*`: all; unset: none",
        _origins,
    ),
)
