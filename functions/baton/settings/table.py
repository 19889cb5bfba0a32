"""Every environment variable: its name, default, unit, meaning, readers, and parser.

docs/reference/settings.md and .env.example are generated from `SETTINGS`, and a test holds them to it. Must not: read
the environment.
"""

from baton.settings.api_table import API_SETTINGS
from baton.settings.readers import reference
from baton.settings.reports import REPORT_SETTINGS, WEBHOOKS
from baton.settings.store import STORE_SETTINGS
from baton_events.setting import EVERYWHERE, Setting, one_of, read_by, url, whole
from baton_events.settings import QUEUE_SETTINGS

SETTINGS = (
    *QUEUE_SETTINGS,
    *STORE_SETTINGS,
    *REPORT_SETTINGS,
    *read_by(
        EVERYWHERE,
        Setting(
            "UPSTASH_VECTOR_REST_URL",
            "vector_url",
            "",
            "URL",
            "the vector index of long-term memory; none: only session memory",
            url,
        ),
        Setting("UPSTASH_VECTOR_REST_TOKEN", "vector_token", "", "", "token of the vector index", secret=True),
        Setting(
            "BATON_APP",
            "app",
            "baton.agents:registry",
            "module:attribute",
            "the registry of agents and tools",
            reference,
        ),
        Setting(
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            "function_memory_mb",
            "512",
            "MB",
            "memory of the function, for what a job costs; Lambda sets it itself",
            whole(1, 1_000_000),
        ),
        Setting(
            "STORE_TIMEOUT_SECONDS", "store_timeout_seconds", "10", "s", "limit of one store request", whole(1, 60)
        ),
        Setting(
            "HTTP_TRANSPORT",
            "http_transport",
            "auto",
            "auto, httpx or httptools",
            "the HTTP client for store and queue; auto: httptools (a quarter of httpx's CPU), unless respx mocks httpx",
            one_of("auto", "httpx", "httptools"),
        ),
        Setting(
            "VECTOR_TIMEOUT_SECONDS", "vector_timeout_seconds", "5", "s", "limit of one vector request", whole(1, 60)
        ),
        Setting(
            "RESULT_LIMIT_BYTES", "result_limit_bytes", "1000000", "bytes", "largest tool result", whole(1, 8_000_000)
        ),
        Setting(
            "TOLD_LIMIT_BYTES",
            "prompt_limit_bytes",
            "8000000",
            "bytes",
            "most that a turn, or a step of a plan, reads at once; below the largest answer of the store's plan",
            whole(1, 80_000_000),
        ),
        Setting(
            "FILES_LIMIT_BYTES",
            "files_limit_bytes",
            "10000000",
            "bytes",
            "most that the files of one message of a chat may have together, and those that one turn is given",
            whole(0, 50_000_000),
        ),
        Setting(
            "JOB_RETENTION_SECONDS",
            "job_retention_seconds",
            "2592000",
            "s",
            "how long a job's data is kept after its end",
            whole(1, 315_360_000),
        ),
        Setting(
            "BYTES_KEPT_PER_TENANT",
            "bytes_kept_per_tenant",
            "0",
            "bytes",
            "most that a tenant may store: jobs, files, events; 0: no limit",
            whole(0, 1_000_000_000_000),
        ),
        Setting(
            "SWEEP_INTERVAL_SECONDS",
            "sweep_interval_seconds",
            "60",
            "s",
            "interval of the sweep while jobs run",
            whole(1, 3600),
        ),
        Setting(
            "MAX_CONCURRENT_JOBS",
            "max_concurrent_jobs",
            "100",
            "count",
            "how many jobs may hold a slot at once; waiting jobs hold none",
            whole(1, 100_000),
        ),
        Setting(
            "CALLBACK_SECRET",
            "callback_key",
            "",
            "",
            "signs callbacks of ended jobs, as Standard Webhooks has it (`whsec_` and Base64); unset: no callbackUrl",
            secret=True,
        ),
    ),
    *read_by(
        WEBHOOKS,
        Setting(
            "QSTASH_CURRENT_SIGNING_KEY",
            "current_signing_key",
            "",
            "",
            "verifies incoming events; none: 401",
            secret=True,
            needed=True,
        ),
        Setting(
            "QSTASH_NEXT_SIGNING_KEY",
            "next_signing_key",
            "",
            "",
            "tried after the current key",
            secret=True,
            needed=True,
        ),
        Setting(
            "CONTINUATION",
            "continuation",
            "inline",
            "queue or inline",
            "publish each following event, or continue with it inline",
            one_of("queue", "inline"),
        ),
        Setting(
            "WORK_TIMEOUT_SECONDS",
            "work_timeout_seconds",
            "120",
            "s",
            "limit of one model call or tool run",
            whole(1, 840),
        ),
        Setting(
            "WORKER_RATE_LIMIT_PER_MINUTE",
            "worker_rate_limit_per_minute",
            "0",
            "count",
            "deliveries a minute from one address, and for one session; those beyond it come later; 0: no limit",
            whole(0, 600_000),
        ),
        Setting(
            "HUNG_TOOLS_LIMIT",
            "hung_tools_limit",
            "16",
            "count",
            "how many tool calls may run on after their time limit; with more of them /healthz is 503",
            whole(0, 10_000),
        ),
        Setting(
            "CALL_PAUSE_LIMIT_SECONDS",
            "call_pause_limit_seconds",
            "3600",
            "s",
            "how long a `Retry-After` may keep other calls of its tenant that share a limit with the refused call",
            whole(0, 3600),
        ),
        Setting(
            "AWS_LAMBDA_RUNTIME_API",
            "lambda_runtime_api",
            "",
            "host:port",
            "the address for the answers of invocations; Lambda sets it itself",
        ),
        Setting(
            "STREAM_BATCH_MS",
            "stream_batch_ms",
            "100",
            "ms",
            "how often a model's text is appended to the stream while it is made",
            whole(0, 60_000),
        ),
        Setting(
            "STREAM_BATCH_BYTES",
            "stream_batch_bytes",
            "400",
            "bytes",
            "and after how much of it at the latest; 0: texts come whole, with their turn",
            whole(0, 1_000_000),
        ),
        Setting(
            "OPERATIONS_STREAM_SECONDS",
            "operations_stream_seconds",
            "60",
            "s",
            "how soon the stream `operations:completed` is read once an operation waits; then ever later; 0: never",
            whole(0, 3600),
        ),
        Setting(
            "OPERATIONS_STREAM_NAME",
            "operations_stream_name",
            "operations:completed",
            "",
            "the stream of the store that outcomes of operations come by",
        ),
        Setting(
            "OPERATIONS_STREAM_GROUP",
            "operations_stream_group",
            "baton",
            "",
            "the consumer group in which the stream of outcomes is read",
        ),
        Setting(
            "STREAM_MAX_LENGTH",
            "stream_max_length",
            "10000",
            "count",
            "how many entries a stream keeps at least: each job's, and of `operations:completed` the processed ones",
            whole(1_000, 1_000_000),
        ),
    ),
    *API_SETTINGS,
)
