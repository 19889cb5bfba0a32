"""Settings of reports: logs, errors, alerts, approvals, traces, metrics. Must not: read the environment."""

from baton.settings.readers import dsn, flag, one_or_two_urls, share
from baton_events.setting import EVERYWHERE, Setting, one_of, read_by, url, whole

WEBHOOKS = "webhooks"
API = "API and console"

REPORT_SETTINGS = (
    *read_by(
        EVERYWHERE,
        Setting("LOG_FORMAT", "log_format", "json", "json or text", "how our logs are written", one_of("json", "text")),
        Setting(
            "LOG_LEVEL",
            "log_level",
            "INFO",
            "DEBUG, INFO, WARNING or ERROR",
            "lowest level of our logs",
            one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        ),
        Setting(
            "APPROVAL_WEBHOOK_URL",
            "approval_webhook_url",
            "",
            "URL, …",
            "receives notices of approvals; a second URL: those that nobody decided by `escalate_after_seconds`",
            one_or_two_urls,
            secret=True,
        ),
        Setting(
            "APPROVAL_LINKS",
            "approval_links",
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
            "alert_webhook_url",
            "",
            "URL",
            "receives alerts for people, in the form of Slack's incoming webhooks; unset: only the log",
            url,
            secret=True,
        ),
    ),
    *read_by(
        API,
        Setting("METRICS_PUBLIC", "metrics_public", "false", "flag", "serve metrics without a key", flag),
        Setting("METRICS_TOKEN", "metrics_token", "", "", "bearer token that may read metrics, no more", secret=True),
    ),
)

# Variables that Lambda, OpenTelemetry and Sentry have named: their own pages say more.
OF_OTHERS = (
    *read_by(
        EVERYWHERE,
        Setting(
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            "function_memory_mb",
            "512",
            "MB",
            "memory of the function, for what a job costs; Lambda sets it itself",
            whole(1, 1_000_000),
        ),
        Setting(
            "SENTRY_DSN",
            "sentry_dsn",
            "",
            "URL",
            "where our errors are reported (extra `sentry`); unset: nowhere",
            dsn,
            secret=True,
        ),
        Setting(
            "SENTRY_TRACES_SAMPLE_RATE",
            "sentry_traces_sample_rate",
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
            "lambda_runtime_api",
            "",
            "host:port",
            "the address for the answers of invocations; Lambda sets it itself",
        ),
        Setting(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "otel_endpoint",
            "",
            "URL",
            "where traces go, by OTLP over HTTP (extra `otel`); unset: no traces",
            url,
        ),
        Setting(
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
            "otel_content",
            "false",
            "flag",
            "traces have messages, arguments and results, without known secrets",
            flag,
        ),
    ),
)
