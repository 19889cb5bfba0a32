"""The product as a world's hosts run it: each webhook function by itself, as on a serverless host, and the site.

Must not: change what they do; whatever is simulated comes in with the ports.
"""

import hashlib
from dataclasses import dataclass, replace

from events.schema import WEBHOOK_ENDPOINTS
from events.settings import Settings
from functions.app import Mounted, build_app
from functions.container import Container, Ports
from functions.suspects import Suspects
from tests.simulation.calling import key_of
from tests.simulation.cast import make_registry
from tests.simulation.jobs import TENANTS
from tests.simulation.operators import ADMIN_KEY
from tests.simulation.outside import OPERATIONS_KEY
from tests.simulation.plan import Plan
from tests.simulation.routes import routes_made_quickly
from tests.simulation.scripts import RESULT_LIMIT_BYTES, Script

BASE_URL = "https://baton.test"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


_API_KEYS = ", ".join(
    [*(f"client:{tenant}:{_digest(key_of(tenant))}" for tenant in TENANTS), f"admin:operators:{_digest(ADMIN_KEY)}"]
)


@dataclass(frozen=True, slots=True)
class Host:
    """One version of the product, deployed."""

    container: Container
    app: Mounted

    def close(self) -> None:
        """Nobody asks any more: a router knows itself, and so would keep what it leads to until that is looked for."""
        vars(self.app.site.router).clear()
        vars(self.container).clear()


def hosts_of(settings: Settings, plan: Plan, ports: Ports, suspects: Suspects) -> list[Host]:
    """Each version that runs: both are of this code, each in a mode of its own, over the same world."""
    registry = make_registry(_scripts(plan))
    modes = (plan.inline, not plan.inline) if plan.deploying else (plan.inline,)
    versions = (replace(settings, continuation="inline" if inline else "queue") for inline in modes)
    containers = [Container(version, ports, registry) for version in versions]
    for container in containers:
        container.suspects = suspects
    with routes_made_quickly():
        return [Host(container, build_app(container)) for container in containers]


def _scripts(plan: Plan) -> dict[str, Script]:
    return {agent: script for job in plan.jobs for agent, script in job.scripts().items()}


def settings_of(plan: Plan) -> Settings:
    """The settings of a world's functions."""
    return Settings(
        qstash_token="token",
        worker_base_url=BASE_URL,
        publish_by="topic" if plan.by_topic else "url",
        continuation="inline" if plan.inline else "queue",
        max_concurrent_jobs=plan.slots,
        work_timeout_seconds=plan.work_timeout_seconds,
        stream_batch_bytes=24 if plan.streams else 400,
        message_timeout_seconds=plan.message_timeout_seconds,
        result_limit_bytes=RESULT_LIMIT_BYTES,
        deliveries_at_once=tuple((path, plan.places) for path in WEBHOOK_ENDPOINTS) if plan.flows else (),
        api_keys=_API_KEYS,
        operations_api_key=OPERATIONS_KEY,
        operations_stream_seconds=0,  # what comes by the webhook and by the stream takes the same path
    )
