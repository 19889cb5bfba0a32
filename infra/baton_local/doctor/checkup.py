"""All checks in their order: what another failure is in the way of is skipped, and says so.

The doctor looks at the outside through ports; the real ones are built here. Nothing is opened before it is used.
"""

import difflib
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from baton.engine.state import STATE_VERSION
from baton.queue.account import QueueSetup
from baton.queue.ports import QueueRecords
from baton.queue.qstash.publisher import QStashQueue
from baton.queue.qstash.records import QStashRecords
from baton.queue.qstash.setup import QStashSetup
from baton.sdk.agents.loader import RegistryNotLoadedError, load_registry
from baton.sdk.agents.registry import Registry
from baton.sdk.clock import Clock, Randomness, SystemClock, SystemRandomness
from baton.sdk.distribution import DISTRIBUTION
from baton.sdk.records.memory import LongTermMemory
from baton.settings.settings import Settings, has, read_settings
from baton.settings.table import ALL_SETTINGS
from baton.store.objects import Objects, objects_of
from baton.store.vector import UpstashLongTermMemory
from baton.worker.runtime.gone_agents import WAY_OUT, gone_agents
from baton.worker.wiring import queue_in_store
from baton_events.errors import SettingsError, StoreError
from baton_events.messages import FUNCTION_TIMEOUT_SECONDS, Queue
from baton_events.schema import SCHEMA_VERSION, WEBHOOK_ENDPOINTS
from baton_events.setting import is_loopback
from baton_local.doctor.delivery import ENDPOINTS, Probes
from baton_local.doctor.finding import Finding, Level, failed, note, ok, skipped, warning
from baton_local.doctor.queue import QUEUE, TOPICS, check_account, check_queue
from baton_local.doctor.store import STORE, StoreCheck, check_memory, check_objects, check_store
from baton_local.setup.account import Account
from baton_local.setup.model_faults import never_counted, never_sent
from baton_local.setup.wanted import unreachable_base

VERSIONS = "versions"
_PACKAGES = (DISTRIBUTION, "qstash", "upstash-redis", "upstash-vector", "upstash-ratelimit")


def versions() -> Finding:
    """Return this machine's versions; a probe's answer reports those of the functions."""
    packages = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    schemas = f"events of version {SCHEMA_VERSION}, stored state of version {STATE_VERSION}"
    return ok(VERSIONS, f"{packages}; {schemas}; Python {platform.python_version()}")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


ENVIRONMENT = "settings"
_CLOSE = 0.85
_OURS = ("QSTASH_", "UPSTASH_", "WORKER_", "BATON_", "PUBLISH_")
# Of the SDKs and of ours, and no settings of the functions.
_NO_SETTINGS = ("QSTASH_DEV", "QSTASH_DEV_PORT", "BATON_URL", "BATON_API_KEY")
_KEY_START = "sig_"
_QUEUE_PAGE = "copy it from the queue's console (https://console.upstash.com/qstash)"
_STORE_PAGE = "copy it from the page of the Redis database, part REST API (https://console.upstash.com/redis)"
_FROM = {
    "QSTASH_TOKEN": _QUEUE_PAGE,
    "QSTASH_CURRENT_SIGNING_KEY": f"{_QUEUE_PAGE}: without it every message is a 401",
    "QSTASH_NEXT_SIGNING_KEY": f"{_QUEUE_PAGE}: without it a change of keys refuses every message",
    "UPSTASH_REDIS_REST_URL": _STORE_PAGE,
    "UPSTASH_REDIS_REST_TOKEN": _STORE_PAGE,
    "WORKER_BASE_URL": "set the public address of the functions; `baton tunnel` makes one for this machine",
}


def read(environment: Mapping[str, str]) -> tuple[Settings | None, list[Finding]]:
    """Return the settings, if they can be read at all, and the findings about them."""
    try:
        settings = read_settings(environment)
    except SettingsError as error:
        problems = [line.strip(" -") for line in str(error).splitlines()[1:]]
        return None, [failed(ENVIRONMENT, problem, "correct it: no function starts with it") for problem in problems]
    found = [*_missing(settings), *_odd(settings), *_misspelt(environment)]
    refusal = unreachable_base(settings)
    if refusal:
        what, _, way_out = refusal.partition(": set ")
        found.append(failed(ENVIRONMENT, what, f"set {way_out}"))
    if all(finding.level is Level.NOTE for finding in found):
        found.insert(0, ok(ENVIRONMENT, f"queue {settings.queue_place}, functions {settings.worker_base_url}"))
    return settings, found


def _missing(settings: Settings) -> Iterator[Finding]:
    needed = [setting for setting in ALL_SETTINGS if setting.needed]
    missing = [setting for setting in needed if not has(settings, setting)]
    if missing == needed:
        way_out = "name its settings with --env-file FILE, or start `baton dev` to look at a local stack"
        yield failed(ENVIRONMENT, "no deployment is named: nothing that one needs is set", way_out)
    for setting in missing:
        yield failed(ENVIRONMENT, f"{setting.name} is not set: {setting.help}", _FROM[setting.name])
    if not settings.api_keys:
        yield note(
            ENVIRONMENT, "API_KEYS is not set: only keys of the store are accepted", "`baton keys create` makes one"
        )


def _odd(settings: Settings) -> Iterator[Finding]:
    if settings.qstash_url.endswith(("/v2", "/v2/publish")):
        yield failed(
            ENVIRONMENT, f"QSTASH_URL {settings.qstash_url} has a path of the API", "leave out all from /v2 on"
        )
    if settings.qstash_token.startswith(_KEY_START):
        yield failed(
            ENVIRONMENT, "QSTASH_TOKEN holds a signing key", "set the token; the keys have settings of their own"
        )
    if settings.redis_token and settings.redis_token == settings.qstash_token:
        yield warning(ENVIRONMENT, "store and queue have the same token", "check which of the two is the other's")
    for endpoint in WEBHOOK_ENDPOINTS:
        base = settings.endpoint_url(endpoint).removesuffix(endpoint)
        if base.endswith(("/workers", endpoint)):
            yield failed(
                ENVIRONMENT, f"{base}{endpoint} has the endpoint twice", "leave /workers out of WORKER_BASE_URL"
            )
            return
    if not is_loopback(settings.worker_base_url):
        yield from _open_to_all(settings)
    if settings.work_timeout_seconds >= FUNCTION_TIMEOUT_SECONDS:
        yield warning(
            ENVIRONMENT,
            f"WORK_TIMEOUT_SECONDS ({settings.work_timeout_seconds}) is not below the functions' own limit "
            f"({FUNCTION_TIMEOUT_SECONDS} s): work that takes so long is cut off",
            "lower it, or raise the limit in functions/baton/worker/handlers and in the deployment",
        )


def _open_to_all(settings: Settings) -> Iterator[Finding]:
    opened = {
        "ENABLE_TEST_ENDPOINT": (settings.enable_test_endpoint, "anybody runs jobs"),
        "METRICS_PUBLIC": (settings.metrics_public, "anybody reads the metrics"),
    }
    for name, (is_open, what) in opened.items():
        if is_open:
            yield warning(ENVIRONMENT, f"{name} is true: {what} without a key", f"take {name} out, outside `baton dev`")


def _misspelt(environment: Mapping[str, str]) -> Iterator[Finding]:
    known = {name for setting in ALL_SETTINGS for name in (setting.name, setting.alias)}
    for name in sorted(environment):
        if name in known or name in _NO_SETTINGS or not name.startswith(_OURS):
            continue
        meant = difflib.get_close_matches(name, sorted(known), n=1, cutoff=_CLOSE)
        if meant:
            yield warning(ENVIRONMENT, f"{name} is no setting and is not read", f"did you mean {meant[0]}?")


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
        return [*found, skipped(ENVIRONMENT, "nothing else is checked before they are right"), versions()]
    try:
        outside = outside_of(settings)
    except SettingsError as error:
        return [*found, failed(ENVIRONMENT, str(error), "install it here, too"), versions()]
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
    if registry is None:
        text = "agents, tools and budgets are not checked: BATON_APP names none here that can be imported"
        return [note(AGENTS, text, "set it as the functions have it, and run this where their code is")]
    if any(each.level is Level.FAILED and each.check == STORE for each in found):
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
