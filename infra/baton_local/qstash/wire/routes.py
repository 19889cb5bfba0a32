"""Which handler answers which method and path; one line per endpoint."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from baton_local.qstash.clock import random_text
from baton_local.qstash.core.answer import Answer, Request, not_found, not_served
from baton_local.qstash.core.commands import flow_control, messages, publishing, queues, tenants, topics
from baton_local.qstash.core.state import Tenant, Transition
from baton_local.qstash.engine import Engine
from baton_local.qstash.wire import admin, log
from baton_local.stand_in.api_error import ApiError

# A command of the state machine; what needs the log, or the shell around the machine, is asked by itself.
Command = Callable[[Transition, Tenant, Request], Answer]
Asked = Callable[[Engine, str, Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """A method, the pattern of a path, and which of the two answers."""

    method: str
    path: re.Pattern[str]
    command: Command | None = None
    asked: Asked | None = None

    @property
    def changes(self) -> bool:
        return self.method != "GET"

    @property
    def publishes(self) -> bool:
        """Operational calls have no limit per second, but count against the day's messages (qstash.md 20)."""
        return self.command in {publishing.publish_one, publishing.publish_batch}

    async def respond(self, engine: Engine, user: str, request: Request) -> Answer:
        if self.command is not None:
            return await engine.execute(user, self.command, request)
        assert self.asked is not None
        return await self.asked(engine, user, request)


def _route(method: str, path: str, command: Command | None = None, *, asks: Asked | None = None) -> Route:
    """Make a route of a path with `{parts}` (`{part...}`: all the rest)."""
    pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", re.sub(r"{(\w+)\.\.\.}", r"(?P<\1>.+)", path))
    return Route(method, re.compile(pattern, re.DOTALL), command, asks)


def _not_available(_step: Transition, _tenant: Tenant, _request: Request) -> Answer:
    raise not_served("Upstash Workflow and LLM endpoints are not available on this local server")


async def _rotate_keys(engine: Engine, user: str, request: Request) -> Answer:
    return await engine.execute(user, tenants.rotate_keys, request, f"sig_{random_text(_KEY_LENGTH)}")


_KEY_LENGTH = 28
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_NOT_AVAILABLE = (
    "/v2/trigger/{rest...}",
    "/v2/batch/trigger",
    "/v2/wait/{rest...}",
    "/v2/notify/{rest...}",
    "/v2/waiters/{rest...}",
    "/v2/workflows/{rest...}",
    "/llm/v1/{rest...}",
)

ROUTES = (
    _route("POST", "/v2/publish/{destination...}", publishing.publish_one),
    _route("POST", "/v2/enqueue/{queue}/{destination...}", publishing.publish_one),
    _route("POST", "/v2/batch", publishing.publish_batch),
    _route("GET", "/v2/messages/{id}", asks=log.get_message),
    _route("DELETE", "/v2/messages/{id}", asks=log.cancel_message),
    _route("DELETE", "/v2/messages", messages.cancel_messages),
    _route("GET", "/v2/dlq", messages.list_dead_letters),
    _route("DELETE", "/v2/dlq", messages.delete_dead_letters),
    _route("POST", "/v2/dlq/retry", messages.retry_dead_letters),
    _route("POST", "/v2/dlq/retry/{id}", messages.retry_dead_letter),
    _route("GET", "/v2/dlq/{id}", messages.get_dead_letter),
    _route("DELETE", "/v2/dlq/{id}", messages.delete_dead_letter),
    _route("GET", "/v2/events", asks=partial(log.list_events, key="events", count=1_000)),
    _route("GET", "/v2/logs", asks=partial(log.list_events, key="logs", count=100)),
    _route("GET", "/v2/topics", topics.list_topics),
    _route("GET", "/v2/topics/{name}", topics.get_topic),
    _route("PATCH", "/v2/topics/{name}", topics.set_topic_headers),
    _route("DELETE", "/v2/topics/{name}", topics.delete_topic),
    _route("POST", "/v2/topics/{name}/endpoints", topics.upsert_endpoints),
    _route("DELETE", "/v2/topics/{name}/endpoints", topics.remove_endpoints),
    _route("GET", "/v2/keys", tenants.get_keys),
    _route("POST", "/v2/keys/rotate", asks=_rotate_keys),
    _route("POST", "/v2/queues", queues.upsert_queue),
    _route("GET", "/v2/queues", queues.list_queues),
    _route("GET", "/v2/queues/{name}", queues.get_queue),
    _route("DELETE", "/v2/queues/{name}", queues.delete_queue),
    _route("POST", "/v2/queues/{name}/pause", partial(queues.set_queue_paused, paused=True)),
    _route("POST", "/v2/queues/{name}/resume", partial(queues.set_queue_paused, paused=False)),
    # SDKs send PATCH, the documentation says POST (qstash.md 17); before the creation, whose path takes all the rest.
    *(
        _route(method, f"/v2/schedules/{{id}}/{word}", partial(publishing.set_schedule_paused, paused=word == "pause"))
        for method in ("PATCH", "POST")
        for word in ("pause", "resume")
    ),
    _route("GET", "/v2/schedules", publishing.list_schedules),
    _route("GET", "/v2/schedules/{id}", publishing.get_schedule),
    _route("DELETE", "/v2/schedules/{id}", publishing.delete_schedule),
    _route("POST", "/v2/schedules/{destination...}", publishing.create_schedule_of),
    _route("GET", "/v2/flowControl", flow_control.list_flows),
    _route("GET", "/v2/flowControl/{key}", flow_control.get_flow),
    _route("POST", "/v2/flowControl/{key}/pause", partial(flow_control.set_flow_paused, paused=True)),
    _route("POST", "/v2/flowControl/{key}/resume", partial(flow_control.set_flow_paused, paused=False)),
    _route("POST", "/v2/flowControl/{key}/pin", flow_control.pin_flow),
    _route("POST", "/v2/flowControl/{key}/unpin", flow_control.unpin_flow),
    _route("POST", "/v2/flowControl/{key}/resetRate", partial(flow_control.reset_flow, parallelism=False)),
    _route("POST", "/v2/flowControl/{key}/reset", partial(flow_control.reset_flow, parallelism=True)),
    _route("GET", "/v2/globalParallelism", flow_control.global_parallelism),
    _route("GET", "/admin/counters", tenants.counters),
    _route("GET", "/admin/faults", asks=admin.show),
    _route("POST", "/admin/faults", asks=admin.add),
    _route("DELETE", "/admin/faults", asks=admin.clear),
    _route("POST", "/admin/reset", asks=admin.reset),
    *(_route(method, path, _not_available) for path in _NOT_AVAILABLE for method in _METHODS),
)


class Router:
    """Finds the route of a request; paths are compared as sent, without decoding."""

    def __init__(self, routes: Iterable[Route] = ROUTES) -> None:
        self._by_head: dict[str, list[Route]] = {}
        for route in routes:
            self._by_head.setdefault(_head(route.path.pattern), []).append(route)

    def match(self, method: str, raw_path: str) -> tuple[Route, Mapping[str, str]]:
        """Return the route and the variable parts; 404 or 405 if there is none."""
        found = False
        for route in self._by_head.get(_head(raw_path), ()):
            match = route.path.fullmatch(raw_path)
            if match is not None:
                if route.method == method:
                    return route, match.groupdict()
                found = True
        if found:
            raise ApiError(HTTPStatus.METHOD_NOT_ALLOWED, f"{method} is not allowed for {raw_path[:200]}")
        raise not_found(f"{raw_path[:200]} does not exist")


def _head(path: str) -> str:
    """Return the first two parts, which no route leaves open."""
    return "/".join(path.split("/", 3)[:3])
