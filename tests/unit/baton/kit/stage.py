"""The whole product over fakes: jobs are submitted, messages delivered by hand, time stands still until told.

Invariant: nothing here decides anything; what is delivered is exactly what was published.
"""

import heapq
import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from baton import Agent, Call, Registry, ScriptedModel, ToolError, tool
from baton.engine.all_jobs.slots import QueueEntry
from baton.engine.state import CallRecord, Job
from baton.engine.step_results import Submitted
from baton.engine.work_items import WorkItem
from baton.queue.dispatch import Delivered, Outcome
from baton.queue.ports import Verifier
from baton.server.app import EVENT_SPECS, build_app
from baton.settings.settings import Settings
from baton.store.records.jobs import Snapshot
from baton.store.redis.access import RateLimit
from baton.testing import asgi
from baton.testing.queue import delivery_headers
from baton.worker.container import Container, Ports
from baton.worker.recovery.redelivery import MALFORMED_STATUS
from baton.worker.recovery.sweep import Page, Sweep
from baton.worker.recovery.undelivered import DeadCallbacks
from baton.worker.runtime.pipeline import Pipeline
from baton.worker.wiring import real_ports
from baton_events.messages import Outgoing
from baton_events.schema import EVENTS_ENDPOINT, Event, EventType, event_type, parse_event
from tests.fakes import FakeLongTermMemory
from tests.fakes.alerts import FakeAlerts
from tests.fakes.callbacks import FakeCallbacks
from tests.fakes.queue import FakeQueue
from tests.fakes.queue_records import FakeQueueRecords
from tests.fakes.randomness import FakeRandomness
from tests.fakes.schedules import FakeSchedules
from tests.fakes.stored import (
    FakeAdmission,
    FakeApiKeyStore,
    FakeAuditLog,
    FakeConnection,
    FakeModelCache,
    FakeReader,
    FakeSessionMemory,
    FakeStore,
)

BASE = "https://fn.example.com"
# Each event is a message of its own, so that a test can deliver one of them.
SETTINGS = Settings(worker_base_url=BASE, qstash_token="token", max_concurrent_jobs=3, continuation="literal")


class AnySignature:
    """A `Verifier` for tests that are not about signatures."""

    knows_keys = True

    async def know_keys(self) -> None:
        """Do nothing: it has no keys."""

    def signed_digest(self, signature: str, url: str) -> str:
        return ""

    def check_body(self, digest: str, body: bytes) -> None:
        """Accept."""


@dataclass
class StepHappened:
    """What tools did, and what a test wants to happen while one runs."""

    runs: list[str] = field(default_factory=list[str])
    while_running: Callable[[], None] = lambda: None


def registry_of(step_result: StepHappened) -> Registry:
    """Agents whose models follow a script, and tools that note that they ran."""

    @tool(retries=0)
    async def add(a: int, b: int) -> int:
        """Add two numbers."""
        step_result.runs.append(f"add {a} {b}")
        step_result.while_running()
        return a + b

    @tool(retries=1, retry_delay_seconds=1.0)
    async def broken() -> None:
        """Fail in a way that may pass."""
        step_result.runs.append("broken")
        raise ToolError("it broke", retryable=True)

    two = [Call("add", {"a": 1, "b": 2}), Call("add", {"a": 3, "b": 4})]
    return Registry(
        [
            Agent(name="answers", model=ScriptedModel(["done"]), tools=[]),
            Agent(name="adds", model=ScriptedModel([two, "3 and 7"]), tools=[add]),
            Agent(name="many", model=ScriptedModel([[*two, *two], "many"]), tools=[add]),
            Agent(name="breaks", model=ScriptedModel([[Call("broken")], "gave up"]), tools=[broken]),
        ]
    )


class Stage:
    """One process with everything in memory."""

    def __init__(
        self,
        *,
        settings: Settings = SETTINGS,
        store: FakeStore | None = None,
        queue: FakeQueue | None = None,
        verifier: Verifier | None = None,
        registry: Registry | None = None,
        long_term_memory: FakeLongTermMemory | None = None,
        rate_limit: RateLimit | None = None,
        follow_limit: RateLimit | None = None,
    ) -> None:
        self.queue = queue or FakeQueue()
        self.store = store or FakeStore(retention_ms=settings.job_retention_seconds * 1000)
        self.redis, self.clock = self.store.redis, self.store.redis.clock
        slots, of_tenant = settings.max_concurrent_jobs, settings.max_jobs_per_tenant
        self.admission, self.cache = FakeAdmission(self.redis, slots, 60_000, of_tenant), FakeModelCache(self.redis)
        self.reader = FakeReader(self.redis, of_tenant)
        self.session_memory, self.long_term_memory = FakeSessionMemory(self.redis), long_term_memory
        self.api_key_store, self.audit_log = FakeApiKeyStore(self.redis), FakeAuditLog(self.redis)
        self.schedules, self.callbacks, self.alerts = FakeSchedules(), FakeCallbacks(), FakeAlerts()
        self.step_result = StepHappened()
        self._settings, self._registry = settings, registry or registry_of(self.step_result)
        self.ports = self._ports(verifier or AnySignature(), rate_limit, follow_limit)
        self.restart()
        self._delivered = 0
        self._waiting: list[tuple[int, int, str]] = []

    def restart(self, registry: Registry | None = None) -> None:
        """Go on in a new process, which knows nothing of what the one before had; `registry`: after a deploy."""
        self._registry = registry or self._registry
        self.container = Container(self._settings, self.ports, self._registry)
        self._pipelines: dict[EventType, Pipeline] = {}

    def _ports(self, verifier: Verifier, rate_limit: RateLimit | None, follow_limit: RateLimit | None) -> Ports:
        real = real_ports(self._settings, FakeConnection(self.redis))
        self.reader._objects = real.objects
        return replace(
            real,
            store=self.store,
            reader=self.reader,
            admission=self.admission,
            queue=self.queue,
            queue_records=FakeQueueRecords(self.queue, self.clock),
            schedules=self.schedules,
            verifier=verifier,
            clock=self.clock,
            randomness=FakeRandomness(),
            api_key_store=self.api_key_store,
            audit_log=self.audit_log,
            rate_limit=rate_limit,
            follow_limit=follow_limit,
            callbacks=self.callbacks,
            alerts=self.alerts,
            model_cache=self.cache,
            session_memory=self.session_memory,
            long_term_memory=self.long_term_memory,
        )

    @property
    def records(self) -> FakeQueueRecords:
        """What the queue knows of its messages."""
        assert isinstance(self.ports.queue_records, FakeQueueRecords)
        return self.ports.queue_records

    @property
    def sweep(self) -> Sweep:
        """The sweep over the stage's ports; the failure callbacks of these come to its container's address."""
        dead = DeadCallbacks(self.records, self.container.settings.failure_callback_url)
        return Sweep(self.store, self.admission, self.container.emitter, dead, self.clock, self.ports.chats)

    def job(self, agent: str = "adds", job_id: str = "job_1", **changes: str) -> Job:
        return Job(job_id, changes.get("session", f"session-{job_id}"), "acme", agent, self.clock.now_ms())

    async def submit(
        self, agent: str = "adds", job_id: str = "job_1", task: str = "do it", data: dict[str, Any] | None = None
    ) -> Event:
        """Submit a job; returns its first event, which is published but not delivered."""
        submitted = Submitted(self.job(agent, job_id), {"text": task, "data": data or {}})
        await self.container.commands.submit(submitted.job, submitted.task)
        last = next(message for message in reversed(self.outgoing()) if "x-job-id" in message.headers)
        return self.event_of(last)

    def event_of(self, message: Outgoing) -> Event:
        """The event that a message brings, as the webhook reads it."""
        return parse_event(self.container.sealing.opened_message(message.body.encode()))

    async def played(self, agent: str, job_id: str = "job_1", **submitted: Any) -> Job:
        """A job that was submitted and run to its end, as it is then."""
        await self.submit(agent, job_id, **submitted)
        await self.run()
        return await self.now(job_id)

    async def now(self, job_id: str = "job_1") -> Job:
        return (await self.snapshot(job_id)).job

    async def swept(self, due_ms: int = 0, message_id: str = "m-sweep", *, again: bool = False) -> Outcome:
        """Deliver a sweep: one that was armed for a time, or the scheduled one."""
        return await self.sweep.handle(Page(due_ms), message_id, f"{message_id}.{int(again)}", again=again)

    def pipeline(self, kind: EventType) -> Pipeline:
        if kind not in self._pipelines:
            spec = next(spec for spec in EVENT_SPECS if spec.event_type is kind)
            self._pipelines[kind] = self.container.pipeline(spec)
        return self._pipelines[kind]

    async def deliver(self, event: Event, message_id: str = "m1", retried: int = 0) -> Outcome:
        return await self.pipeline(event_type(event)).handle(Delivered(message_id, retried, event))

    def outgoing(self) -> list[Outgoing]:
        """Everything that was published, in order."""
        return [message for _, message in self.queue.published]

    def events(self) -> list[Event]:
        """Every event that was published, in order; sweeps are none."""
        return [self.event_of(message) for message in self.outgoing() if "x-job-id" in message.headers]

    async def run(
        self, after_each: Callable[[], Awaitable[None]] | None = None, *, within_seconds: float = math.inf
    ) -> None:
        """Deliver what was published and not taken back, each once, the earliest first, until nothing is left.

        `within_seconds`: nothing that is to come later than so long after now is delivered yet.
        """
        waiting, until_ms = self._waiting, self.clock.ms + within_seconds * 1000
        while True:
            for number in range(self._delivered, len(self.queue.published)):
                message_id, message = self.queue.published[number]
                if "x-job-id" in message.headers or EVENTS_ENDPOINT in message.url:
                    heapq.heappush(waiting, (message.not_before_ms, number, message_id))
            self._delivered = len(self.queue.published)
            if not waiting or waiting[0][0] > until_ms:
                return
            not_before_ms, number, message_id = heapq.heappop(waiting)
            if message_id not in self.queue.cancelled:
                self.clock.ms = max(self.clock.ms, not_before_ms)
                await self._deliver(message_id, self.queue.published[number][1])
                if after_each:
                    await after_each()

    async def _deliver(self, message_id: str, message: Outgoing) -> None:
        if "x-job-id" in message.headers:
            await self.deliver(self.event_of(message), message_id)
        elif (answer := await self.deliver_app_event(message_id, message)).status == MALFORMED_STATUS:
            opened = self.container.sealing.opened_message(answer.body)
            self.records.die(message_id, answer.status, json.loads(opened)["detail"])

    async def deliver_app_event(self, message_id: str, message: Outgoing, retried: int = 0) -> asgi.Answer:
        headers = delivery_headers(message, message_id, retried, "any")
        path = message.url.removeprefix(BASE)
        return await asgi.request(build_app(self.container), path, headers, message.body.encode())

    async def snapshot(self, job_id: str = "job_1") -> Snapshot:
        found = await self.reader.job(job_id)
        assert found is not None
        return found

    async def items(self, job_id: str = "job_1") -> tuple[WorkItem, ...]:
        return (await self.snapshot(job_id)).items

    async def calls(self, job_id: str = "job_1") -> tuple[CallRecord, ...]:
        return (await self.snapshot(job_id)).calls

    def entry(self, job_id: str = "job_1") -> QueueEntry:
        """The job in the admission's slot table."""
        return self.admission.entries[job_id]
