"""The composition root: real adapters are built here and nowhere else, once for a process, on first use.

Importing this module opens nothing.
"""

from typing import TYPE_CHECKING, Any

from baton.observability.alerts import Alerts
from baton.observability.error_reports import report_errors
from baton.observability.logs import guard_logs, seal_output, write_logs
from baton.observability.spans import Tracer
from baton.queue.qstash.publisher import QStashQueue
from baton.queue.qstash.records import QStashRecords
from baton.queue.qstash.schedules import QStashSchedules
from baton.queue.verifier import QueueVerifier
from baton.sdk.clock import SystemClock, SystemRandomness
from baton.sdk.distribution import require_extra
from baton.settings.settings import Settings, settings_from_environment
from baton.store.redis.access import ApiKeyStore, AuditLog, RateLimit
from baton.store.redis.admission import Admission, AdmissionControl
from baton.store.redis.agent_memory import Chats, RedisModelCache, RedisSessionMemory
from baton.store.redis.app_events import AppEvents
from baton.store.redis.archive import Archive
from baton.store.redis.connection import RedisConnection
from baton.store.redis.listing import Listing
from baton.store.redis.operation_stream import OperationStream
from baton.store.redis.reader import Reader
from baton.store.redis.store import Store
from baton.store.redis.totals import Counters, KeptEvents, KeptSchedules, StoredBytes, ToolStatistics
from baton.store.vector import UpstashLongTermMemory
from baton.worker.container import Container, Ports
from baton.worker.runtime.callbacks import HttpCallbacks

if TYPE_CHECKING:
    from baton.queue.redis.in_store import QueueInStore
    from baton.store.objects import Objects
    from baton.store.redis.budgets import Budgets
    from baton.store.redis.call_limits import CallLimits
    from baton.store.redis.resealing import Resealing


def real_ports(settings: Settings, to_store: RedisConnection | None = None) -> Ports:
    """Build the real adapters; they open nothing before their first use. `to_store`: another connection."""
    slots = (settings.max_concurrent_jobs, settings.sweep_interval_seconds * 1000, settings.max_jobs_per_tenant)
    stream, clock = (settings.operations_stream_name, settings.operations_stream_group), SystemClock()
    connection, objects = to_store or RedisConnection(settings), _objects(settings)
    retention_ms, length = settings.job_retention_seconds * 1000, settings.stream_max_length
    return Ports(
        **_queue(settings, connection, clock),
        store=Store(connection, retention_ms, settings.prompt_limit_bytes, length),
        reader=Reader(connection, objects, settings.max_jobs_per_tenant),
        archive=Archive(connection, retention_ms),
        admission=Admission(connection, *slots),
        admission_control=AdmissionControl(connection, *slots),
        listing=Listing(connection),
        kept_schedules=KeptSchedules(connection, retention_ms),
        clock=clock,
        randomness=SystemRandomness(),
        model_cache=RedisModelCache(connection),
        tool_statistics=ToolStatistics(connection),
        counters=Counters(connection),
        api_key_store=ApiKeyStore(connection),
        audit_log=AuditLog(connection, settings.audit_log_length),
        rate_limit=_rate_limit(connection, clock, settings.rate_limit_per_minute),
        follow_limit=_rate_limit(connection, clock, 60 * settings.followers_per_key),
        delivery_limit=_rate_limit(connection, clock, settings.worker_rate_limit_per_minute),
        call_limits=lambda: _call_limits(connection),
        budgets=lambda: _budgets(connection),
        kept_events=KeptEvents(connection, retention_ms),
        stored_bytes=StoredBytes(connection),
        callbacks=HttpCallbacks(settings.worker_base_url),
        alerts=_alerts(settings, connection),
        tracer=_tracer(settings),
        app_events=AppEvents(connection, retention_ms, settings.event_retention_seconds * 1000),
        chats=Chats(connection, retention_ms, objects, settings.object_from_bytes),
        objects=objects,
        operation_stream=OperationStream(connection, length, *stream),
        session_memory=RedisSessionMemory(connection, retention_ms),
        long_term_memory=UpstashLongTermMemory(settings) if settings.vector_url else None,
    )


def queue_in_store(settings: Settings, connection: RedisConnection | None = None) -> "QueueInStore":
    """Build the queue in the store. Raises SettingsError: its extra is missing."""
    require_extra("redis", "QUEUE=redis")
    from baton.queue.redis.in_store import QueueInStore  # noqa: PLC0415 - few deployments have it

    current, following = settings.current_signing_key, settings.next_signing_key
    keys = (current, following or current) if current else ()
    return QueueInStore(connection or RedisConnection(settings), SystemClock(), SystemRandomness(), *keys)


def _queue(settings: Settings, connection: RedisConnection, clock: SystemClock) -> dict[str, Any]:
    if settings.queue == "redis":
        made = queue_in_store(settings, connection)
        return {
            "queue": made.queue,
            "queue_records": made.records,
            "schedules": made.schedules,
            "verifier": made.verifier,
        }
    return {
        "queue": QStashQueue(settings),
        "queue_records": QStashRecords(settings),
        "schedules": QStashSchedules(settings),
        "verifier": QueueVerifier(settings, clock),
    }


def resealing(settings: Settings) -> tuple["Resealing", Ports]:
    """Build what an operator's command reseals by, and the adapters over the same connection."""
    from baton.store.redis.resealing import Resealing  # noqa: PLC0415 - no function does that

    connection = RedisConnection(settings)
    objects = None
    if settings.object_store_url:
        from baton.store.objects import ResealedObjects  # noqa: PLC0415 - as above

        objects = ResealedObjects(settings)
    return Resealing(connection, objects), real_ports(settings, connection)


def _call_limits(connection: RedisConnection) -> "CallLimits":
    from baton.store.redis.call_limits import CallLimits  # noqa: PLC0415 - few deployments have any

    return CallLimits(connection)


def _budgets(connection: RedisConnection) -> "Budgets":
    from baton.store.redis.budgets import Budgets  # noqa: PLC0415 - few deployments have any

    return Budgets(connection)


def _objects(settings: Settings) -> "Objects | None":
    if not settings.object_store_url:
        return None
    from baton.store.objects import objects_of  # noqa: PLC0415 - few deployments have one

    return objects_of(settings)


def _rate_limit(connection: RedisConnection, clock: SystemClock, per_minute: int) -> RateLimit | None:
    return RateLimit(connection, clock, per_minute) if per_minute else None


def _alerts(settings: Settings, connection: RedisConnection) -> Alerts | None:
    if not settings.alert_webhook_url:
        return None
    from baton.observability.alert_webhook import WebhookAlerts  # noqa: PLC0415 - only for a configured address

    return WebhookAlerts(settings.alert_webhook_url, connection, settings.alert_quiet_seconds)


def _tracer(settings: Settings) -> Tracer | None:
    if not settings.otel_endpoint:
        return None
    from baton.observability.open_telemetry import OpenTelemetryTracer  # noqa: PLC0415 - only for a configured tracer

    return OpenTelemetryTracer.to(settings.otel_endpoint)


def container_from_environment() -> Container:
    """Build the container of this process. Raises SettingsError: settings are missing or wrong; all are listed."""
    settings = settings_from_environment(
        "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN", "QSTASH_TOKEN", "WORKER_BASE_URL"
    )
    container = Container(settings, real_ports(settings))
    sealed = bool(container.sealing.first)
    guard_logs(container.secrets, sealed=sealed)
    write_logs(settings)
    if sealed:
        seal_output()
    report_errors(settings, container.secrets)
    return container
