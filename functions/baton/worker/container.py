"""Everything of one process, assembled from its ports; tests give it fakes. Importing this module opens nothing."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from baton.engine.effects import PAYLOADS_GONE, PAYLOADS_UNREADABLE, UNDELIVERED, Effect, RequestSlot
from baton.engine.state import Job
from baton.observability.alerts import Alerting, Alerts
from baton.observability.spans import Details, Tracer
from baton.queue.dispatch import Delivered, Outcome, replay_of
from baton.queue.ports import QueueRecords, Schedules, Verifier
from baton.sdk.agents.loader import load_registry, refuse_plain
from baton.sdk.agents.registry import Registry, has_servers, remembers
from baton.sdk.agents.runner import CodeRuns
from baton.sdk.clock import Clock, Randomness
from baton.sdk.memory.keeper import MemoryKeeper
from baton.sdk.records.memory import LongTermMemory, ModelCache, SessionMemory
from baton.sdk.records.own_threads import in_own_thread
from baton.sdk.records.record import Record
from baton.sdk.records.redaction import KnownSecrets
from baton.sdk.tools.runnable import InThread
from baton.sdk.tools.running_calls import RunningCalls
from baton.settings.settings import Settings
from baton.store.redis.access import ApiKeyStore, AuditLog, RateLimit
from baton.store.redis.admission import Admission, AdmissionControl
from baton.store.redis.agent_memory import Chats
from baton.store.redis.app_events import AppEvents
from baton.store.redis.archive import Archive
from baton.store.redis.listing import Listing
from baton.store.redis.operation_stream import OperationStream
from baton.store.redis.reader import Reader
from baton.store.redis.store import Store
from baton.store.redis.totals import Counters, KeptEvents, KeptSchedules, StoredBytes, ToolStatistics, count
from baton.worker.admission.slot_client import JobRows, SlotClient
from baton.worker.admission.stored_quota import StoredQuota
from baton.worker.commands.commands import Commands
from baton.worker.commands.follow import Followers, JobNotices
from baton.worker.commands.operation_stream import OperationOutcomes, Operations
from baton.worker.commands.signal import CompleteOperation
from baton.worker.recovery.maintenance import Maintenance, ObjectPruning, Pruning
from baton.worker.recovery.outage import StoreAway, SweepRequests
from baton.worker.recovery.redelivery import Failed, Redelivery, read_callback, what_failed
from baton.worker.recovery.sweep import Sweep
from baton.worker.recovery.undelivered import DeadCallbacks
from baton.worker.runtime.app_events import HandleAppEvent
from baton.worker.runtime.callbacks import Callbacks
from baton.worker.runtime.gen_ai import agent_attributes
from baton.worker.runtime.metering import Metering
from baton.worker.runtime.observing import Observing
from baton.worker.runtime.pipeline import Pipeline
from baton.worker.runtime.policy import Policy, Stopping, Suspects
from baton.worker.runtime.post_commit import HungCalls, PostCommit
from baton.worker.runtime.spec import Executor, Spec, guard_ms, work_limits_ms
from baton.worker.runtime.throttling import admit_delivery
from baton.worker.runtime.webhook import FORGED_PER_MINUTE, Handler, Signed, SignedEndpoint, SourceBudget, brought
from baton_events.emitter import Emitter, sealing_in, waits_at
from baton_events.errors import SettingsError, UnreadablePayloadError
from baton_events.messages import Queue
from baton_events.schema import DELIVERY_FAILED_ENDPOINT, EVENTS_ENDPOINT, SWEEP_ENDPOINT

if TYPE_CHECKING:
    from baton.worker.payloads import Payloads


class Ports(Record, frozen=True):
    """The ports to the outside world.

    `long_term_memory`: None where no vector index is configured. tracer: None traces nothing. `rate_limit`,
    `follow_limit`, `delivery_limit`: None sets no limit. call_limits, budgets: return a `CallLimits` and `Budgets`,
    which few deployments load; None as above. `kept_events`: None counts no events that no job waits for, and refuses
    none; `stored_bytes`: the same for bytes. `callbacks`: None sends none when a job ends. alerts: None leaves them to
    the log. `objects`: an `Objects`, which few deployments load; None keeps large payloads with all else.
    `model_cache`: None keeps no answers, whatever agents configure. in_thread: runs tools that are not async.
    """

    store: Store
    reader: Reader
    archive: Archive
    admission: Admission
    admission_control: AdmissionControl
    listing: Listing
    queue: Queue
    queue_records: QueueRecords
    schedules: Schedules
    kept_schedules: KeptSchedules
    verifier: Verifier
    clock: Clock
    randomness: Randomness
    session_memory: SessionMemory
    tool_statistics: ToolStatistics
    counters: Counters
    operation_stream: OperationStream
    app_events: AppEvents
    chats: Chats
    api_key_store: ApiKeyStore
    audit_log: AuditLog
    rate_limit: RateLimit | None = None
    follow_limit: RateLimit | None = None
    delivery_limit: RateLimit | None = None
    kept_events: KeptEvents | None = None
    call_limits: Callable[[], Any] | None = None
    budgets: Callable[[], Any] | None = None
    stored_bytes: StoredBytes | None = None
    alerts: Alerts | None = None
    tracer: Tracer | None = None
    long_term_memory: LongTermMemory | None = None
    callbacks: Callbacks | None = None
    model_cache: ModelCache | None = None
    objects: Any = None
    in_thread: InThread = in_own_thread


def _payloads(objects: Any, settings: Settings) -> "Payloads | None":
    if objects is None:
        return None
    from baton.worker.payloads import Payloads  # noqa: PLC0415 - few deployments have an object store

    return Payloads(objects, settings)


class Container:
    """Everything of one process, each part built on first use."""

    def __init__(self, settings: Settings, ports: Ports, registry: Registry | None = None) -> None:
        self.settings, self.ports, self._registry = settings, ports, registry
        self.sealing = sealing_in(settings)  # of payloads
        self.secrets = KnownSecrets(settings.secret_values)  # values that must not be shown
        self.stopping, self.suspects, self.notices = Stopping(), Suspects(), JobNotices()
        self.followers = Followers(settings.followers_per_key)
        self.code_runs = CodeRuns(settings.open_workflows, settings.work_timeout_seconds)
        self.metering = Metering(ports.clock, ports.counters, settings.function_memory_mb)  # the usage of invocations
        self.sweep_requests = SweepRequests(ports.admission, Emitter(settings, ports.queue), ports.clock)
        self._away = StoreAway(ports.admission, Emitter(settings, ports.queue), ports.clock, self.sweep_requests)
        alerting = (ports.alerts, self.secrets, settings.worker_base_url)
        sealed = bool(self.sealing.first)  # then Sentry is sent no parts
        parts = ports.reader.parts if settings.sentry_dsn and not sealed else None
        self.alerting = Alerting(*alerting, parts, sealed=sealed)
        report, longest_seconds = HungCalls(ports.counters, self.alerting), settings.work_timeout_seconds
        if ports.objects is not None:
            ports.objects.on_gone = lambda what: count(ports.counters, {f"{PAYLOADS_GONE}:{what}": 1})
        self.payloads = _payloads(ports.objects, settings)  # None: all is kept with the records
        self.running_calls = RunningCalls(longest_seconds, settings.hung_tools_limit, report, ports.in_thread)

    @cached_property
    def registry(self) -> Registry:
        """The agents and tools that BATON_APP names.

        Raises SettingsError: some cannot be, as payloads are sealed, or DEFAULT_AGENT is none of them.
        """
        found = self._registry if self._registry is not None else load_registry(self.settings.app)
        if self.settings.default_agent not in {"", *(agent.name for agent in found.agents)}:
            names = ", ".join(agent.name for agent in found.agents)
            raise SettingsError(f"DEFAULT_AGENT: {self.settings.default_agent!r} is none of {names}")
        if self.sealing.first:
            refuse_plain(found, self.settings.payload_plain)
        return found

    @cached_property
    def emitter(self) -> Emitter:
        return Emitter(self.settings, self.ports.queue, announces=bool(self.settings.approval_urls))

    async def _forget_files(self, job: Job) -> None:
        if job.subject:
            from baton.worker.commands.kept_files import forget_with_last  # noqa: PLC0415 - few jobs are a person's

            ports = self.ports
            await forget_with_last(ports.chats, self.commands.quota, ports.listing, ports.reader, job)

    @cached_property
    def commands(self) -> Commands:
        """Changes jobs, for API calls and for their backup messages."""
        ports, emitter = self.ports, self.emitter
        stores = (ports.store, ports.archive, ports.admission, self._slot_client)
        made = Commands(*stores, emitter, ports.clock, ports.randomness, self.notices)
        made.fire.line, made.fire.kept = ports.admission_control.line, ports.kept_schedules
        made.delete.objects = ports.objects
        made.delete.forget_copies = self._forget_copies if remembers(self.registry) else None
        made.delete.forget_files = self._forget_files
        made.submit.payloads = self.payloads
        if self.payloads is not None:
            from baton.worker.payloads import Leaving  # noqa: PLC0415 - few deployments have an object store

            made.signal.leaving = partial(Leaving, self.payloads, keeps=False)
        if self.settings.approval_urls:  # few deployments have them
            from baton.worker.runtime.approval_notices import ApprovalNotices  # noqa: PLC0415

            reading = (ports.reader, emitter, ports.clock, ports.callbacks)
            made.announce = ApprovalNotices(*reading, self.settings, self.secrets)
        return made

    @cached_property
    def memory(self) -> MemoryKeeper:
        indexed = not self.sealing.first or "memory" in self.settings.payload_plain
        return MemoryKeeper(self.ports.session_memory, self.ports.long_term_memory, indexed=indexed)

    async def _forget_copies(self, job: Job) -> None:
        from baton.worker.conversation.originals import Originals  # noqa: PLC0415 - most functions delete nothing

        await Originals(self.ports.listing, self.ports.reader, self.memory).forget_copies_of(job)

    @cached_property
    def _sweep(self) -> Sweep:
        ports = self.ports
        dead = DeadCallbacks(ports.queue_records, self.settings.failure_callback_url)
        return Sweep(ports.store, ports.admission, self.emitter, dead, ports.clock, ports.chats)

    @cached_property
    def _forged(self) -> SourceBudget:
        return SourceBudget(self.ports.clock, FORGED_PER_MINUTE)

    @cached_property
    def operations(self) -> Operations:
        """Accepts outcomes of operations, from every source."""
        ports, settings, counters = self.ports, self.settings, self.ports.counters
        stream, commands = ports.operation_stream, (self.commands.signal, self.commands.submit)
        completing = CompleteOperation(ports.reader, *commands, stream, counters, self.secrets, ports.clock)
        limit_bytes, interval_ms = settings.result_limit_bytes, settings.operations_stream_seconds * 1000
        outcomes = OperationOutcomes(
            stream, completing, self.emitter, counters, ports.clock, interval_ms=interval_ms, limit_bytes=limit_bytes
        )
        return Operations(completing, outcomes)

    @cached_property
    def observing(self) -> Observing:
        """Reports deliveries and requests."""
        details = Details(lambda name: agent_attributes(self.registry, name), self.secrets, self.settings.otel_content)
        return Observing(self.ports.clock, self.ports.tracer, details, self.settings)

    @cached_property
    def _post_commit(self) -> PostCommit:
        return PostCommit(self.operations.outcomes, self.alerting, self.ports.admission, self.ports.clock)

    @cached_property
    def _slot_client(self) -> SlotClient:
        rows = JobRows(self.ports.listing, self.ports.counters)
        quota = StoredQuota(self.ports.stored_bytes, self.ports.clock, self.settings)
        return SlotClient(self.ports.admission, rows, self.emitter, self.ports.clock, quota)

    async def close(self) -> None:
        ports = self.ports
        for each in (self.emitter, ports.queue_records, ports.schedules, ports.reader, ports.long_term_memory):
            if each is not None:
                await each.close()

    def pipeline(self, spec: Spec) -> Pipeline:
        ports, settings = self.ports, self.settings
        longest = any(agent.runner is not None or agent.servers for agent in self.registry.agents)
        policy = Policy(
            work_limits_ms(settings.work_timeout_seconds, self.registry.tools, runners=longest),
            inline=settings.continuation == "inline",
            takes_in=settings.continuation != "literal",
            continues=spec.continues,
            guard_ms=guard_ms(spec, settings),
            stopping=self.stopping,
            suspects=self.suspects,
            patience_seconds=settings.changed_code_seconds,
        )
        outside = (ports.store, self.emitter, ports.clock, ports.randomness)
        pipeline = Pipeline(*outside, self._executors(spec), self.commands, self._post_commit, policy)
        if self.payloads is not None:
            from baton.worker.payloads import stored  # noqa: PLC0415 - few deployments have an object store

            pipeline.stored = partial(stored, self.payloads)
        return pipeline

    def _executors(self, spec: Spec) -> dict[type[Effect], Executor]:
        own: dict[type[Effect], Executor] = {RequestSlot: self._slot_client}
        return own | {kind: executor for make in spec.executors for kind, executor in make(self).items()}

    def endpoint(self, spec: Spec) -> SignedEndpoint:
        """Build the ASGI app of one function."""
        others: dict[str, Callable[[], Handler]] = {
            EVENTS_ENDPOINT: self._app_event_messages,
            DELIVERY_FAILED_ENDPOINT: self._delivery_failed,
            SWEEP_ENDPOINT: partial(self._maintenance, spec),
        }
        return self._signed(spec, others[spec.path]() if spec.path in others else self._events(spec))

    def _events(self, spec: Spec) -> Handler:
        pipeline = self.pipeline(spec)

        async def handle(signed: Signed) -> Outcome:
            async with self._delivery(signed, events=True):
                head, (event, answer) = (signed.message_id, signed.retried), brought(spec.path, spec.event_type, signed)
                if limit := self.ports.delivery_limit:
                    await admit_delivery(limit, signed.source, event.session_id)
                with self.notices.around(event.job_id):
                    async with self.observing.delivery(*head, event) as seen:
                        seen.outcome = await pipeline.handle(Delivered(*head, event, signed.token, answer))
                return seen.outcome

        if not has_servers(self.registry):
            return handle
        from baton.sdk.mcp.connections import sharing  # noqa: PLC0415 - few have them

        return sharing(handle)

    @cached_property
    def app_events(self) -> HandleAppEvent:
        """The handler of app events, for their messages and their failure callbacks."""
        ports = self.ports
        return HandleAppEvent(self.registry, ports.app_events, self.commands, self.emitter, ports.clock)

    def _app_event_messages(self) -> Handler:
        async def handle(signed: Signed) -> Outcome:
            head = (signed.message_id, signed.retried)
            async with self._delivery(signed), self.observing.delivery(*head) as seen:
                seen.outcome = await self.app_events.handle(signed.body, signed.message_id, replay_of(*head))
                return seen.outcome

        return handle

    def _delivery_failed(self) -> Handler:
        outside = (self.ports.store, self.commands, self._sweep, self.emitter, self.ports.clock)
        redelivery = Redelivery(*outside, self._post_commit, self.app_events.handle)

        async def handle(signed: Signed) -> Outcome:
            async with self._delivery(signed):
                failed = read_callback(signed.body, self.sealing)
                head, event = (signed.message_id, signed.retried), failed.event if isinstance(failed, Failed) else None
                async with self.observing.delivery(*head, event) as seen:
                    seen.outcome = await redelivery.handle(failed, *head)
                await count(self.ports.counters, {f"{UNDELIVERED}:{what_failed(failed)}": 1})
                return seen.outcome

        return handle

    def _maintenance(self, spec: Spec) -> Handler:
        self.operations.outcomes.ended = partial(spec.ended, self) if spec.ended else None
        ports, retention_ms = self.ports, self.settings.job_retention_seconds * 1000
        pruning = Pruning(ports.listing, ports.reader, self.emitter, ports.clock, retention_ms)
        pruning.objects = ObjectPruning(ports.objects, ports.archive, ports.chats) if ports.objects else None
        maintenance = Maintenance(self._sweep, self.operations.outcomes, pruning, ports.counters, self._away)

        async def handle(signed: Signed) -> Outcome:
            async with self._delivery(signed):
                head, again, body = (signed.message_id, signed.retried), signed.retried > 0, signed.body
                async with self.observing.delivery(*head) as seen:
                    seen.outcome = await maintenance.handle(body, signed.message_id, replay_of(*head), again=again)
                return seen.outcome

        return handle

    @asynccontextmanager
    async def _delivery(self, signed: Signed, *, events: bool = False) -> AsyncIterator[None]:
        async with self.metering.delivery(signed.retried, events=events), self._away.watching(signed.retried):
            try:
                yield
            except UnreadablePayloadError:
                await count(self.ports.counters, {PAYLOADS_UNREADABLE: 1})
                raise

    def _signed(self, spec: Spec, handler: Handler) -> SignedEndpoint:
        url, waits = self.settings.endpoint_url(spec.path), waits_at(self.settings, spec.path)
        return SignedEndpoint(spec.path, url, self.ports.verifier, handler, self._forged, waits, self.sealing)
