"""The product as a world's hosts run it: each webhook function by itself, as on a serverless host, and the site.

Invariant: an instance is one process with its own memory, which is gone when the process dies. Must not: change what
the product does; whatever is simulated comes in with the ports. The site's hundred routes are made anew for each world;
what is worked out of a route's path is the same in each.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import structs
from starlette.routing import Route, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from baton.server.api.middleware import secured
from baton.server.app import SPECS, Mounted, build_app
from baton.settings.settings import Settings
from baton.worker.container import Container, Ports
from baton_events.schema import WEBHOOK_ENDPOINTS, function_of
from tests.simulation.calling import key_of
from tests.simulation.cast import make_registry
from tests.simulation.constants import USUAL_MOST_HUNG
from tests.simulation.instances import SimSuspects
from tests.simulation.jobs import TENANTS
from tests.simulation.operators import ADMIN_KEY, OTHER_ADMIN_KEY
from tests.simulation.outside import OPERATIONS_KEY
from tests.simulation.plan import Plan
from tests.simulation.scripts import RESULT_LIMIT_BYTES, Script
from tests.simulation.store_faults import SimStore

if TYPE_CHECKING:
    from tests.simulation.world import World

BASE_URL = "https://baton.test"
_SPECS = {spec.path: spec for spec in SPECS}


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


_API_KEYS = ", ".join(
    [
        *(f"client:{tenant}:{_digest(key_of(tenant))}" for tenant in TENANTS),
        f"admin:operators:{_digest(ADMIN_KEY)}",
        f"admin:others:{_digest(OTHER_ADMIN_KEY)}",
    ]
)


class Host:
    """One process: one version of the product, and what this process remembers.

    Each part is built when it is first asked for: many processes are asked for one alone.
    """

    def __init__(self, container: Container) -> None:
        self.container = container
        self._webhooks: dict[str, ASGIApp] = {}
        self._whole: Mounted | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._webhook(function_of(scope["path"])) or self.whole()
        await app(scope, receive, send)

    def _webhook(self, path: str) -> ASGIApp | None:
        app = self._webhooks.get(path)
        if app is None and path in _SPECS:
            app = self._webhooks[path] = secured(self.container.endpoint(_SPECS[path]), self.container.settings)
        return app

    def whole(self) -> Mounted:
        if self._whole is None:
            with routes_made_quickly():
                self._whole = build_app(self.container)
        return self._whole

    def close(self) -> None:
        """Nobody asks any more: a router knows itself, and so would keep what it leads to until that is looked for."""
        if self._whole is not None:
            vars(self._whole.site.router).clear()
        vars(self.container).clear()


class Hosts:
    """The processes of one world, each made when its instance is first asked for something."""

    def __init__(self, world: "World", settings: Settings, ports: Ports) -> None:
        self._world, self._ports = world, ports
        emitted = {plan.agent: plan.batch for plan in world.plan.jobs if plan.emitted}
        self._registry = make_registry(_scripts(world.plan), emitted, world.plan.call_limits)
        self._versions = [replace(settings, continuation=mode) for mode in world.plan.modes]
        self._of: dict[int, Host] = {}
        self._gone: list[Host] = []

    def of(self, instance: int) -> Host:
        """The process of an instance. Where there are two versions, the odd ones have the other, in the other mode."""
        host = self._of.get(instance)
        if host is None:
            host = self._of[instance] = self._made(self._versions[instance % len(self._versions)])
        return host

    def is_there(self, host: Host | None) -> bool:
        return host in self._of.values()

    def lose(self, host: Host | None) -> None:
        """A process is gone, with all that it remembers: who comes next to its instance gets a new one."""
        for instance, there in self._of.items():
            if there is host:
                self._gone.append(self._of.pop(instance))
                return

    def replace(self, host: Host) -> None:
        """A process is replaced: what is at work in it goes on to its end, and begins nothing more in place."""
        host.container.stopping.begun = True
        self.lose(host)

    def close(self) -> None:
        """Nobody asks any more."""
        for host in (*self._gone, *self._of.values()):
            host.close()

    def _made(self, settings: Settings) -> Host:
        ports = structs.replace(self._ports, store=SimStore(self._world))
        container = Container(settings, ports, self._registry)
        container.suspects = SimSuspects(self._world)
        return Host(container)


def _scripts(plan: Plan) -> dict[str, Script]:
    return {agent: script for job in plan.jobs for agent, script in job.scripts().items()}


def settings_of(plan: Plan) -> Settings:
    return Settings(
        qstash_token="token",
        worker_base_url=BASE_URL,
        publish_by="topic" if plan.by_topic else "url",
        continuation=plan.modes[0],
        max_concurrent_jobs=plan.slots,
        work_timeout_seconds=plan.work_timeout_seconds,
        stream_batch_bytes=24 if plan.streams else 400,
        message_timeout_seconds=plan.message_timeout_seconds,
        result_limit_bytes=RESULT_LIMIT_BYTES,
        object_from_bytes=1,
        large_result_limit_bytes=RESULT_LIMIT_BYTES,
        prompt_limit_bytes=plan.prompt_limit_bytes,
        bytes_kept_per_tenant=plan.bytes_kept,
        hung_tools_limit=plan.most_hung or USUAL_MOST_HUNG,
        deliveries_at_once=tuple((path, plan.places) for path in WEBHOOK_ENDPOINTS) if plan.flows else (),
        api_keys=_API_KEYS,
        operations_api_key=OPERATIONS_KEY,
        operations_stream_seconds=0,  # what comes by the webhook and by the stream takes the same path
    )


_BARE = {"endpoint", "app"}  # what differs between two worlds
_KNOWN: dict[tuple[Any, ...], dict[str, Any]] = {}
_make: Callable[..., None] = Route.__init__


def _quickly(route: Route, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
    methods = options.get("methods")
    key = (path, tuple(methods) if methods else None, *(item for item in options.items() if item[0] != "methods"))
    known = _KNOWN.get(key)
    if known is None:
        _make(route, path, endpoint, **options)
        if route.app is not endpoint:  # a function: an app by itself is used as it is
            _KNOWN[key] = {name: value for name, value in vars(route).items() if name not in _BARE}
        return
    vars(route).update(known, endpoint=endpoint, app=request_response(endpoint))


@contextmanager
def routes_made_quickly() -> Iterator[None]:
    """While this lasts, a route is a copy of the one that another world has for the same path."""
    setattr(Route, "__init__", _quickly)  # noqa: B010 - a constructor is assigned to on purpose
    try:
        yield
    finally:
        setattr(Route, "__init__", _make)  # noqa: B010 - as above
