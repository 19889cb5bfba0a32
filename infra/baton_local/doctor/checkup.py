"""All checks in their order: what another failure is in the way of is skipped, and says so.

The doctor looks at the outside through ports; the real ones are built here. Nothing is opened before it is used.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from baton.queue.account import QueueSetup
from baton.queue.ports import QueueRecords
from baton.queue.qstash.publisher import QStashQueue
from baton.queue.qstash.records import QStashRecords
from baton.queue.qstash.setup import QStashSetup
from baton.sdk.agents.loader import RegistryNotLoadedError, load_registry
from baton.sdk.agents.registry import Registry
from baton.sdk.clock import Clock, Randomness, SystemClock, SystemRandomness
from baton.sdk.records.memory import LongTermMemory
from baton.settings.settings import Settings
from baton.store.objects import Objects, objects_of
from baton.store.vector import UpstashLongTermMemory
from baton.worker.runtime.gone_agents import WAY_OUT, gone_agents
from baton.worker.wiring import queue_in_store
from baton_events.errors import SettingsError, StoreError
from baton_events.messages import Queue
from baton_local.doctor.delivery import ENDPOINTS, Probes
from baton_local.doctor.environment import ENVIRONMENT as SETTINGS
from baton_local.doctor.environment import read, versions
from baton_local.doctor.finding import Finding, Level, failed, skipped, warning
from baton_local.doctor.queue import QUEUE, TOPICS, check_account, check_queue
from baton_local.doctor.store import STORE, StoreCheck, check_memory, check_objects, check_store
from baton_local.setup.account import Account
from baton_local.setup.model_faults import never_counted, never_sent

BUDGETS, AGENTS, TOOLS = "budgets", "agents", "tools"


@dataclass(frozen=True)
class Services:
    """Store, queue, time; `memory`, `objects`: None where no vector index, or object store, is set."""

    store: StoreCheck
    setup: QueueSetup
    account: Account
    queue: Queue
    records: QueueRecords
    clock: Clock
    randomness: Randomness
    memory: LongTermMemory | None = None
    objects: Objects | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Services":
        in_store = queue_in_store(settings) if settings.queue == "redis" else None
        return cls(
            store=StoreCheck(settings),
            setup=in_store.setup if in_store else QStashSetup(settings),
            account=Account.of(settings),
            queue=in_store.queue if in_store else QStashQueue(settings),
            records=in_store.records if in_store else QStashRecords(settings),
            clock=SystemClock(),
            randomness=SystemRandomness(),
            memory=UpstashLongTermMemory(settings) if settings.vector_url else None,
            objects=objects_of(settings),
        )

    async def close(self) -> None:
        for each in (self.store, self.setup, self.account, self.queue, self.records):
            await each.close()
        if self.memory is not None:
            await self.memory.close()


async def examine(
    environment: Mapping[str, str], outside_of: Callable[[Settings], Services], probe_seconds: int
) -> list[Finding]:
    """Examine a deployment and return the findings; `probe_seconds` 0 sends no probes."""
    settings, found = read(environment)
    if settings is None:
        return [*found, skipped(SETTINGS, "nothing else is checked before they are right"), versions()]
    try:
        outside = outside_of(settings)
    except SettingsError as error:
        return [*found, failed(SETTINGS, str(error), "install it here, too"), versions()]
    try:
        return [*found, *await _around(settings, outside, probe_seconds), versions()]
    finally:
        await outside.close()


async def _around(settings: Settings, outside: Services, probe_seconds: int) -> list[Finding]:
    found = list[Finding]()
    if settings.resp_url or (settings.redis_url and settings.redis_token):
        found += await check_store(outside.store, outside.clock, settings)
    else:
        found.append(skipped(STORE, "its address or its token is not set"))
    found += await check_memory(outside.memory)
    found += check_budgets(settings)
    found += await check_agents(settings, outside.store, found)
    found += await check_tools(settings)
    found += await check_objects(outside.objects, settings, outside.randomness.token())
    if settings.queue == "qstash" and not settings.qstash_token:
        return [*found, skipped(QUEUE, "its token is not set")]
    queue = await check_queue(outside.setup, settings)
    found += queue
    if queue[0].level is Level.FAILED:
        return [*found, skipped(ENDPOINTS, "the queue does not take our messages")]
    if not settings.worker_base_url:
        return [*found, skipped(TOPICS, "WORKER_BASE_URL is not set"), skipped(ENDPOINTS, "WORKER_BASE_URL is not set")]
    found += await check_account(outside.account, settings)
    if not probe_seconds:
        return [*found, skipped(ENDPOINTS, "no probes are sent (--no-probe)")]
    return [*found, *await probe(settings, outside, probe_seconds)]


def check_budgets(settings: Settings) -> list[Finding]:
    """Check the budgets of the deployment's agents, where they can be imported from here."""
    registry = _registry(settings)
    return [warning(BUDGETS, each, "give it tokens") for each in never_counted(registry)] if registry else []


async def check_tools(settings: Settings) -> list[Finding]:
    """Check that each agent's model is sent its tools, those of MCP servers, too; where they can be imported here."""
    registry = _registry(settings)
    way_out = "mend the schema, or leave the tool out: McpServer(allow=[…])"
    return [warning(TOOLS, each, way_out) async for each in never_sent(registry)] if registry else []


def _registry(settings: Settings) -> Registry | None:
    if settings.app == Settings().app:
        return None
    sys.path.insert(0, str(Path.cwd()))  # as `baton dev` and uvicorn do
    try:
        return load_registry(settings.app)
    except RegistryNotLoadedError:
        return None


async def check_agents(settings: Settings, store: StoreCheck, found: Sequence[Finding]) -> list[Finding]:
    """Check that the deployment has all agents that jobs wait for, where it can be imported from here.

    `found`: of the store, whose failures are told already.
    """
    registry = _registry(settings)
    if registry is None or any(each.level is Level.FAILED and each.check == STORE for each in found):
        return []
    try:
        live = await store.live_jobs()
    except StoreError:
        return []
    return [warning(AGENTS, words, WAY_OUT) for _, words in gone_agents(registry, live)]


async def probe(settings: Settings, outside: Services, seconds: int) -> list[Finding]:
    """Send a signed message to each endpoint; return what becomes of it, and how the clocks differ."""
    name = outside.randomness.token()
    return await Probes(outside.queue, outside.records, outside.clock, name).send(settings, seconds)
