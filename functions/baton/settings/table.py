"""Every environment variable: its name, default, unit, meaning, readers, and parser.

docs/reference/settings.md and .env.example are generated from `ALL_SETTINGS`, and a test holds them to it. Must not:
read the environment.
"""

from baton.settings.readers import (
    api_keys,
    callback_secret,
    dsn,
    flag,
    host_and_port,
    media_types,
    one_or_two_urls,
    origins,
    share,
    stream_name,
    unit_prices,
    words_of,
)
from baton.settings.store import OBJECT_SETTINGS, STORE_SETTINGS
from baton_events.setting import EVERYWHERE, Setting, one_of, read_by, reference, token, url, whole
from baton_events.settings import QUEUE_SETTINGS

WEBHOOKS = "webhooks"
API = "API and console"

REPORT_SETTINGS = (
    *read_by(
        EVERYWHERE,
        Setting("LOG_FORMAT", "json", "json or text", "how our logs are written", one_of("json", "text")),
        Setting(
            "LOG_LEVEL",
            "INFO",
            "DEBUG, INFO, WARNING or ERROR",
            "lowest level of our logs",
            one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        ),
        Setting(
            "APPROVAL_WEBHOOK_URL",
            "",
            "URL, …",
            "receives notices of approvals; a second URL: those that nobody decided by `escalate_after_seconds`",
            one_or_two_urls,
            secret=True,
        ),
        Setting(
            "APPROVAL_LINKS",
            "false",
            "flag",
            "notices have a link that decides without a login; client keys may make links for their tenant's jobs",
            flag,
        ),
    ),
    *read_by(
        WEBHOOKS,
        Setting(
            "ALERT_WEBHOOK_URL",
            "",
            "URL",
            "receives alerts for people, in the form of Slack's incoming webhooks; unset: only the log",
            url,
            secret=True,
        ),
    ),
    *read_by(
        API,
        Setting("METRICS_PUBLIC", "false", "flag", "serve metrics without a key", flag),
        Setting("METRICS_TOKEN", "", "", "bearer token that may read metrics, no more", token, secret=True),
    ),
)

# Variables that Lambda, OpenTelemetry and Sentry have named: their own pages say more.
OF_OTHERS = (
    *read_by(
        EVERYWHERE,
        Setting(
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            "512",
            "MB",
            "memory of the function, for what a job costs; Lambda sets it itself",
            whole(1, 1_000_000),
            own_field="function_memory_mb",
        ),
        Setting(
            "SENTRY_DSN", "", "URL", "where our errors are reported (extra `sentry`); unset: nowhere", dsn, secret=True
        ),
        Setting(
            "SENTRY_TRACES_SAMPLE_RATE",
            "1",
            "0 to 1",
            "which part of the deliveries is sent to Sentry as transactions",
            share,
        ),
    ),
    *read_by(
        WEBHOOKS,
        Setting(
            "AWS_LAMBDA_RUNTIME_API",
            "",
            "host:port",
            "the address for the answers of invocations; Lambda sets it itself",
            host_and_port,
            own_field="lambda_runtime_api",
        ),
        Setting(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "",
            "URL",
            "where traces go, by OTLP over HTTP (extra `otel`); unset: no traces",
            url,
            own_field="otel_endpoint",
        ),
        Setting(
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
            "false",
            "flag",
            "traces have messages, arguments and results, without known secrets",
            flag,
            own_field="otel_content",
        ),
    ),
)


API_SETTINGS = read_by(
    API,
    Setting("API_KEYS", "", "role:tenant:sha256, …", "keys of the API, as hashes", api_keys, secret=True),
    Setting(
        "OPERATIONS_API_KEY", "", "", "key of outside completions", token, secret=True, alias="CHAT_INTERNAL_API_KEY"
    ),
    Setting("PRICES", "{}", "JSON", "unit prices that are not the lists' (docs/operations.md, Costs)", unit_prices),
    Setting("DEFAULT_AGENT", "", "", "the agent of chats that name none; unset: the first one"),
    Setting(
        "CHAT_SHOWS_ERRORS",
        "false",
        "flag",
        "client keys get the texts of failures, too, and not one sentence with an id",
        flag,
    ),
    Setting(
        "FILE_TYPES",
        "image/*,application/pdf,text/*,audio/*,video/*",
        "media types",
        "the types of files that chats take",
        media_types,
    ),
    Setting("ENABLE_TEST_ENDPOINT", "false", "flag", "serve POST /test/simple", flag),
    Setting(
        "ENABLE_AGENT_WORKER",
        "false",
        "flag",
        "a start of the ASGI app starts the admission, if an operator has stopped it",
        flag,
    ),
    Setting(
        "RATE_LIMIT_PER_MINUTE",
        "600",
        "count",
        "requests to the API a minute with one key, and as many at once at most; 0: no limit",
        whole(0, 60_000),
    ),
    Setting(
        "STREAM_SILENCE_SECONDS",
        "0",
        "s",
        "a stream ends after so long a silence, or once its job only waits; readers reconnect; 0: it stays open",
        whole(0, 86_400),
    ),
    Setting(
        "CORS_ORIGINS",
        "",
        "https://…, …",
        "which pages of other origins may call the API with a key; `*`: all; unset: none",
        origins,
    ),
)


SETTINGS = (
    *QUEUE_SETTINGS,
    *STORE_SETTINGS,
    *OBJECT_SETTINGS,
    *REPORT_SETTINGS,
    *read_by(
        EVERYWHERE,
        Setting(
            "UPSTASH_VECTOR_REST_URL",
            "",
            "URL",
            "the vector index of long-term memory; none: only session memory",
            url,
            own_field="vector_url",
        ),
        Setting(
            "UPSTASH_VECTOR_REST_TOKEN",
            "",
            "",
            "token of the vector index",
            token,
            own_field="vector_token",
            secret=True,
        ),
        Setting(
            "PAYLOAD_PLAIN",
            "",
            "memory, offload",
            "what stays plain while payloads are encrypted: texts of the vector index, requests that the queue sends",
            words_of("memory", "offload"),
        ),
        Setting(
            "BATON_APP",
            "baton.sdk.agents:registry",
            "module:attribute",
            "the registry of agents and tools",
            reference,
            own_field="app",
        ),
        Setting(
            "STORE_TIMEOUT_SECONDS",
            "10",
            "s",
            "limit of one request to the store, the queue or the vector index",
            whole(1, 60),
        ),
        Setting(
            "RESULT_LIMIT_BYTES",
            "1000000",
            "bytes",
            "largest tool result, or the largest that a model gets whole",
            whole(1, 8_000_000),
        ),
        Setting(
            "JOB_RETENTION_SECONDS",
            "2592000",
            "s",
            "how long a job's data is kept after its end",
            whole(1, 315_360_000),
        ),
        Setting(
            "BYTES_KEPT_PER_TENANT",
            "0",
            "bytes",
            "most that a tenant may store: jobs, files, events; a new schedule has to fit beside; 0: no limit",
            whole(0, 1_000_000_000_000),
        ),
        Setting(
            "SCHEDULES_PER_TENANT",
            "100",
            "",
            "schedules that a tenant may have, beside those in code; 0: no limit",
            whole(0, 1_000_000),
        ),
        Setting(
            "SWEEP_INTERVAL_SECONDS",
            "60",
            "s",
            "interval of the sweep while jobs run; how soon the stream of outcomes is read once an operation waits",
            whole(1, 3600),
        ),
        Setting(
            "MAX_CONCURRENT_JOBS",
            "100",
            "count",
            "how many jobs may hold a slot at once; waiting jobs hold none",
            whole(1, 100_000),
        ),
        Setting(
            "CALLBACK_SECRET",
            "",
            "",
            "signs callbacks of ended jobs: `whsec_` and the Base64 of 24 to 64 random bytes; unset: no callbackUrl",
            callback_secret,
            own_field="callback_key",
            secret=True,
        ),
    ),
    *read_by(
        WEBHOOKS,
        Setting(
            "QSTASH_CURRENT_SIGNING_KEY",
            "",
            "",
            "verifies incoming events; none: 401",
            token,
            own_field="current_signing_key",
            secret=True,
            needed=True,
        ),
        Setting(
            "QSTASH_NEXT_SIGNING_KEY",
            "",
            "",
            "tried after the current key",
            token,
            own_field="next_signing_key",
            secret=True,
            needed=True,
        ),
        Setting(
            "CONTINUATION",
            "inline",
            "literal, queue or inline",
            "publish each event; each but a tool's result, taken in with its run; or continue inline",
            one_of("literal", "queue", "inline"),
        ),
        Setting(
            "WORK_TIMEOUT_SECONDS",
            "120",
            "s",
            "limit of one model call or tool run, and of a workflow's code between two waits",
            whole(1, 840),
        ),
        Setting(
            "CHANGED_CODE_SECONDS",
            "86400",
            "s",
            "how long a step waits for a deploy whose code fits it, where an agent is gone or a workflow has changed",
            whole(0, 31_536_000),
        ),
        Setting(
            "OPEN_WORKFLOWS",
            "500",
            "count",
            "runs of workflows that a process keeps open between their steps; others are made again; 0: none is kept",
            whole(0, 100_000),
        ),
        Setting(
            "WORKER_RATE_LIMIT_PER_MINUTE",
            "0",
            "count",
            "deliveries a minute from one address, and for one session; those beyond it come later; 0: no limit",
            whole(0, 600_000),
        ),
        Setting(
            "STREAM_BATCH_BYTES",
            "400",
            "bytes",
            "after how much of a model's text it is appended to the stream, or after 100 ms; 0: whole, with its turn",
            whole(0, 1_000_000),
        ),
        Setting(
            "OPERATIONS_STREAM_NAME",
            "operations:completed",
            "",
            "the stream of the store that outcomes of operations come by",
            stream_name,
        ),
        Setting(
            "OPERATIONS_STREAM_GROUP", "baton", "", "the consumer group in which the stream of outcomes is read", token
        ),
    ),
    *API_SETTINGS,
)
ALL_SETTINGS = (*SETTINGS, *OF_OTHERS)
