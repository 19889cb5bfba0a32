"""Every environment variable, declared at its field: type, default, unit, meaning, readers, and parser.

docs/reference/settings.md and .env.example are generated from `ALL_SETTINGS`, and a test holds them to it. Must not:
read the environment.
"""

from functools import partial
from typing import Any, Literal

from baton.settings.readers import (
    callback_secret,
    dsn,
    hashed_keys,
    host_and_port,
    media_types,
    one_or_two_urls,
    origins,
    share,
    stream_name,
    unit_prices,
    words_of,
)
from baton.settings.service_prices import LIST_PRICES, Prices
from baton.settings.store import object_options, object_stores, store_address
from baton_events.setting import Annotated, Setting, reference, settings_of, token, url, whole
from baton_events.settings import QueueSettings

WEBHOOKS = "webhooks"
API = "API and console"
_signing = partial(Setting, token, where=WEBHOOKS, secret=True, needed=True, instead="QUEUE=redis")


class Declared(QueueSettings, frozen=True):
    """Each setting, with its default."""

    redis_url: Annotated[
        str,
        "the store",
        Setting(url, "URL", name="UPSTASH_REDIS_REST_URL", needed=True, instead="REDIS_URL", alias="UPSTASH_REDIS_URL"),
    ] = ""
    redis_token: Annotated[
        str,
        "token of the store",
        Setting(
            token,
            name="UPSTASH_REDIS_REST_TOKEN",
            secret=True,
            needed=True,
            instead="REDIS_URL",
            alias="UPSTASH_REDIS_TOKEN",
        ),
    ] = ""
    resp_url: Annotated[
        str,
        "instead of both: a Valkey or Redis ≥ 7 over RESP, as `redis://`, `rediss://` or `unix://` (extra `redis`)",
        Setting(store_address, "URL", name="REDIS_URL", secret=True),
    ] = ""
    event_retention_seconds: Annotated[
        int,
        "how long the first app event of a name and key is kept for calls of `wait_for_event` that come later",
        Setting(whole(1, 31_536_000), "s"),
    ] = 86_400
    object_store_url: Annotated[
        str,
        "where large payloads are kept: `s3://`, `gs://`, `az://` or `file:///` (extra `objects`); the first is"
        " written, all are read; none: all in the store",
        Setting(object_stores, "URL, …"),
    ] = ""
    object_store_options: Annotated[
        tuple[tuple[str, Any], ...],
        "options of its client: `endpoint`, `region`, `access_key_id`, `timeout`, …",
        Setting(object_options, "JSON", secret=True),
    ] = ()
    object_from_bytes: Annotated[
        int,
        "payloads from this size on are objects, where there is an object store",
        Setting(whole(1_000, 100_000_000), "bytes"),
    ] = 65_536
    large_result_limit_bytes: Annotated[
        int, "largest tool result where there is an object store", Setting(whole(1, 1_000_000_000), "bytes")
    ] = 100_000_000
    log_format: Annotated[Literal["json", "text"], "how our logs are written", Setting()] = "json"
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], "lowest level of our logs", Setting()] = "INFO"
    approval_webhook_url: Annotated[
        str,
        "receives notices of approvals; a second URL: those that nobody decided by `escalate_after_seconds`",
        Setting(one_or_two_urls, "URL, …", secret=True),
    ] = ""
    approval_links: Annotated[
        bool,
        "notices have a link that decides without a login; client keys may make links for their tenant's jobs",
        Setting(),
    ] = False
    alert_webhook_url: Annotated[
        str,
        "receives alerts for people, in the form of Slack's incoming webhooks; unset: only the log",
        Setting(url, "URL", where=WEBHOOKS, secret=True),
    ] = ""
    metrics_public: Annotated[bool, "serve metrics without a key", Setting(where=API)] = False
    metrics_token: Annotated[
        str, "bearer token that may read metrics, no more", Setting(token, where=API, secret=True)
    ] = ""
    vector_url: Annotated[
        str,
        "the vector index of long-term memory; none: only session memory",
        Setting(url, "URL", name="UPSTASH_VECTOR_REST_URL"),
    ] = ""
    vector_token: Annotated[
        str, "token of the vector index", Setting(token, name="UPSTASH_VECTOR_REST_TOKEN", secret=True)
    ] = ""
    payload_plain: Annotated[
        str,
        "what stays plain while payloads are encrypted: texts of the vector index, requests that the queue sends",
        Setting(words_of("memory", "offload"), "memory, offload"),
    ] = ""
    app: Annotated[
        str, "the registry of agents and tools", Setting(reference, "module:attribute", name="BATON_APP")
    ] = "baton.sdk.agents:registry"
    store_timeout_seconds: Annotated[
        int, "limit of one request to the store, the queue or the vector index", Setting(whole(1, 60), "s")
    ] = 10
    result_limit_bytes: Annotated[
        int, "largest tool result, or the largest that a model gets whole", Setting(whole(1, 8_000_000), "bytes")
    ] = 1_000_000
    job_retention_seconds: Annotated[
        int, "how long a job's data is kept after its end", Setting(whole(1, 315_360_000), "s")
    ] = 2_592_000
    bytes_kept_per_tenant: Annotated[
        int,
        "most that a tenant may store: jobs, files, events; a new schedule has to fit beside; 0: no limit",
        Setting(whole(0, 1_000_000_000_000), "bytes"),
    ] = 0
    schedules_per_tenant: Annotated[
        int, "schedules that a tenant may have, beside those in code; 0: no limit", Setting(whole(0, 1_000_000))
    ] = 100
    sweep_interval_seconds: Annotated[
        int,
        "interval of the sweep while jobs run; how soon the stream of outcomes is read once an operation waits",
        Setting(whole(1, 3600), "s"),
    ] = 60
    max_concurrent_jobs: Annotated[
        int, "how many jobs may hold a slot at once; waiting jobs hold none", Setting(whole(1, 100_000), "count")
    ] = 100
    max_jobs_per_tenant: Annotated[
        int, "how many of them may be one tenant's; more wait in line; 0: no bound", Setting(whole(0, 100_000), "count")
    ] = 0
    callback_key: Annotated[
        str,
        "signs callbacks of ended jobs: `whsec_` and the Base64 of 24 to 64 random bytes; unset: no callbackUrl",
        Setting(callback_secret, name="CALLBACK_SECRET", secret=True),
    ] = ""
    current_signing_key: Annotated[
        str,
        "verifies incoming events; none: 401",
        _signing(name="QSTASH_CURRENT_SIGNING_KEY", alias="QUEUE_SIGNING_KEY"),
    ] = ""
    next_signing_key: Annotated[
        str, "tried after the current key", _signing(name="QSTASH_NEXT_SIGNING_KEY", alias="QUEUE_NEXT_SIGNING_KEY")
    ] = ""
    continuation: Annotated[
        Literal["literal", "queue", "inline"],
        "publish each event; each but a tool's result, taken in with its run; or continue inline",
        Setting(where=WEBHOOKS),
    ] = "inline"
    work_timeout_seconds: Annotated[
        int,
        "limit of one model call, of a tool's `timeout_seconds`, and of a workflow's code between two waits",
        Setting(whole(1, 840), "s", where=WEBHOOKS),
    ] = 120
    changed_code_seconds: Annotated[
        int,
        "how long a step waits for a deploy whose code fits it, where an agent is gone or a workflow has changed",
        Setting(whole(0, 31_536_000), "s", where=WEBHOOKS),
    ] = 86_400
    open_workflows: Annotated[
        int,
        "runs of workflows that a process keeps open between their steps; others are made again; 0: none is kept",
        Setting(whole(0, 100_000), "count", where=WEBHOOKS),
    ] = 500
    worker_rate_limit_per_minute: Annotated[
        int,
        "deliveries a minute from one address, and for one session; those beyond it come later; 0: no limit",
        Setting(whole(0, 600_000), "count", where=WEBHOOKS),
    ] = 0
    stream_batch_bytes: Annotated[
        int,
        "after how much of a model's text it is appended to the stream, or after 100 ms; 0: whole, with its turn",
        Setting(whole(0, 1_000_000), "bytes", where=WEBHOOKS),
    ] = 400
    operations_stream_name: Annotated[
        str, "the stream of the store that outcomes of operations come by", Setting(stream_name, where=WEBHOOKS)
    ] = "operations:completed"
    operations_stream_group: Annotated[
        str, "the consumer group in which the stream of outcomes is read", Setting(token, where=WEBHOOKS)
    ] = "baton"
    api_keys: Annotated[
        str, "keys of the API, as hashes", Setting(hashed_keys, "role:tenant:sha256, …", where=API, secret=True)
    ] = ""
    operations_api_key: Annotated[
        str, "key of outside completions", Setting(token, where=API, secret=True, alias="CHAT_INTERNAL_API_KEY")
    ] = ""
    prices: Annotated[
        Prices,
        "unit prices that are not the lists' (docs/operations.md, Costs)",
        Setting(unit_prices, "JSON", where=API),
    ] = LIST_PRICES
    default_agent: Annotated[str, "the agent of chats that name none; unset: the first one", Setting(where=API)] = ""
    chat_shows_errors: Annotated[
        bool, "client keys get the texts of failures, too, and not one sentence with an id", Setting(where=API)
    ] = False
    file_types: Annotated[str, "the types of files that chats take", Setting(media_types, "media types", where=API)] = (
        "image/*,application/pdf,text/*,audio/*,video/*"
    )
    enable_test_endpoint: Annotated[bool, "serve POST /test/simple", Setting(where=API)] = False
    pumps: Annotated[
        int,
        "pumps of each process that serves, with `QUEUE=redis`; 0: `baton pump` delivers alone",
        Setting(whole(0, 1), where=API),
    ] = 1
    enable_agent_worker: Annotated[
        bool, "a start of the ASGI app lets jobs start, if an operator has stopped that", Setting(where=API)
    ] = False
    rate_limit_per_minute: Annotated[
        int,
        "requests to the API a minute with one key, and as many at once at most; 0: no limit",
        Setting(whole(0, 60_000), "count", where=API),
    ] = 600
    stream_silence_seconds: Annotated[
        int,
        "a stream ends after so long a silence, or once its job only waits; readers reconnect; 0: it stays open",
        Setting(whole(0, 86_400), "s", where=API),
    ] = 0
    cors_origins: Annotated[
        str,
        "which pages of other origins may call the API with a key; `*`: all; unset: none",
        Setting(origins, "https://…, …", where=API),
    ] = ""

    # Variables that Lambda, OpenTelemetry and Sentry have named: their own pages say more.
    function_memory_mb: Annotated[
        int,
        "memory of the function, for what a job costs; Lambda sets it itself",
        Setting(whole(1, 1_000_000), "MB", name="AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
    ] = 512
    sentry_dsn: Annotated[
        str, "where our errors are reported (extra `sentry`); unset: nowhere", Setting(dsn, "URL", secret=True)
    ] = ""
    sentry_traces_sample_rate: Annotated[
        float, "which part of the deliveries is sent to Sentry as transactions", Setting(share, "0 to 1")
    ] = 1.0
    lambda_runtime_api: Annotated[
        str,
        "the address for the answers of invocations; Lambda sets it itself",
        Setting(host_and_port, "host:port", name="AWS_LAMBDA_RUNTIME_API", where=WEBHOOKS),
    ] = ""
    otel_endpoint: Annotated[
        str,
        "where traces go, by OTLP over HTTP (extra `otel`); unset: no traces",
        Setting(url, "URL", name="OTEL_EXPORTER_OTLP_ENDPOINT", where=WEBHOOKS),
    ] = ""
    otel_content: Annotated[
        bool,
        "traces have messages, arguments and results, without known secrets",
        Setting(name="OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", where=WEBHOOKS),
    ] = False


def __getattr__(name: str) -> tuple[Setting, ...]:
    """Make `ALL_SETTINGS`, `SETTINGS` (ours) and `OF_OTHERS` where one is asked for: a function's import needs none."""
    if name not in ("ALL_SETTINGS", "SETTINGS", "OF_OTHERS"):
        raise AttributeError(name)
    others = ("AWS_", "SENTRY_", "OTEL_")
    every = settings_of(Declared)
    return tuple(
        each for each in every if name == "ALL_SETTINGS" or each.name.startswith(others) == (name == "OF_OTHERS")
    )
