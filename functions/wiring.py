"""The composition root: real adapters are built here and nowhere else, once for a process, on first use.

Importing this module opens nothing.
"""

from events.adapters.admission import RedisAdmission
from events.adapters.alert_webhook import WebhookAlerts
from events.adapters.archive import RedisArchive
from events.adapters.audit_log import RedisAuditLog
from events.adapters.clock import SystemClock
from events.adapters.figures import RedisFigures
from events.adapters.kept_events import RedisKeptEvents
from events.adapters.key_book import RedisKeyBook
from events.adapters.listing import RedisListing
from events.adapters.long_term_memory import UpstashLongTermMemory
from events.adapters.model_cache import RedisModelCache
from events.adapters.operating import RedisOperating
from events.adapters.operation_stream import RedisOperationStream
from events.adapters.publisher import QStashQueue
from events.adapters.queue_records import QStashRecords
from events.adapters.randomness import SystemRandomness
from events.adapters.rate_limit import RedisRateLimit
from events.adapters.reader import RedisReader
from events.adapters.redis import RedisConnection
from events.adapters.schedules import QStashSchedules
from events.adapters.session_memory import RedisSessionMemory
from events.adapters.stored_bytes import RedisStoredBytes
from events.adapters.tool_statistics import RedisToolStatistics
from events.adapters.tree_store import TreeStore
from events.adapters.verifier import QueueVerifier
from events.ports import Tracer
from events.settings import Settings, settings_from_environment
from functions.container import Container, Ports
from functions.error_reports import report_errors
from functions.log_guard import guard_logs
from functions.log_lines import write_logs


def real_ports(settings: Settings) -> Ports:
    """The real adapters; nothing is opened before it is used."""
    slots = (settings.max_concurrent_jobs, settings.sweep_interval_seconds * 1000)
    connection, clock = RedisConnection(settings), SystemClock()
    per_minute, follows = settings.rate_limit_per_minute, 60 * settings.followers_per_key
    return Ports(
        store=TreeStore(connection, settings.job_retention_seconds * 1000, told_limit_bytes=settings.told_limit_bytes),
        reader=RedisReader(connection),
        archive=RedisArchive(connection, settings.job_retention_seconds * 1000),
        admission=RedisAdmission(connection, *slots),
        operating=RedisOperating(connection, *slots),
        listing=RedisListing(connection),
        queue=QStashQueue(settings),
        queue_records=QStashRecords(settings),
        schedules=QStashSchedules(settings),
        verifier=QueueVerifier(settings, clock),
        clock=clock,
        randomness=SystemRandomness(),
        model_cache=RedisModelCache(connection),
        tool_statistics=RedisToolStatistics(connection),
        figures=RedisFigures(connection),
        key_book=RedisKeyBook(connection),
        audit_log=RedisAuditLog(connection, settings.audit_log_length),
        rate_limit=RedisRateLimit(connection, clock, per_minute) if per_minute else None,
        follow_limit=RedisRateLimit(connection, clock, follows) if follows else None,
        kept_events=RedisKeptEvents(connection, settings.job_retention_seconds * 1000),
        stored_bytes=RedisStoredBytes(connection),
        alerts=WebhookAlerts(settings.alert_webhook_url, connection) if settings.alert_webhook_url else None,
        tracer=_tracer(settings),
        operation_stream=RedisOperationStream(connection, settings.stream_max_length),
        session_memory=RedisSessionMemory(connection, settings.job_retention_seconds * 1000),
        long_term_memory=UpstashLongTermMemory(settings) if settings.vector_url else None,
    )


def _tracer(settings: Settings) -> Tracer | None:
    """Where spans go; nothing of it is imported where nobody traces."""
    if not settings.otel_endpoint:
        return None
    from events.adapters.open_telemetry import OpenTelemetryTracer  # noqa: PLC0415 - only where it is asked for

    return OpenTelemetryTracer.to(settings.otel_endpoint, settings.otel_service_name)


def container_from_environment() -> Container:
    """The container of this process.

    Raises:
        SettingsError: settings are missing or wrong; all are listed.
    """
    settings = settings_from_environment(
        "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN", "QSTASH_TOKEN", "WORKER_BASE_URL"
    )
    container = Container(settings, real_ports(settings))
    guard_logs(container.secrets)
    write_logs(settings)
    report_errors(settings, container.secrets)
    return container
