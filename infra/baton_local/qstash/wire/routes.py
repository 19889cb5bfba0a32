"""Which handler answers which method and path; one line per endpoint."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from baton_local.qstash.core.answer import Answer, not_found, not_served
from baton_local.qstash.wire import admin, messages, publishing, queues, topics
from baton_local.qstash.wire.call import Call
from baton_local.stand_in.api_error import ApiError

Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """A method, a path with `{parts}` (`{part...}`: all the rest), and what answers."""

    method: str
    segments: tuple[str, ...]
    handler: Handler
    changes: bool
    publishes: bool

    def match(self, path: list[str]) -> Mapping[str, str] | None:
        """Return the variable parts if the path fits."""
        rest = self.segments[-1].endswith("...}")
        if len(path) < len(self.segments) or (not rest and len(path) > len(self.segments)):
            return None
        params: dict[str, str] = {}
        for index, (wanted, given) in enumerate(zip(self.segments, path, strict=False)):
            if wanted.startswith("{"):
                params[wanted.strip("{.}")] = "/".join(path[index:]) if wanted.endswith("...}") else given
            elif wanted != given:
                return None
        return params if all(params.values()) else None


# Operational calls have no limit per second, but count against the day's messages (qstash.md 20).
_PUBLISHING = frozenset({publishing.publish, publishing.enqueue, publishing.batch})


def _route(method: str, path: str, handler: Handler) -> Route:
    return Route(method, tuple(path.strip("/").split("/")), handler, method != "GET", handler in _PUBLISHING)


async def _not_available(_call: Call) -> Answer:
    raise not_served("Upstash Workflow and LLM endpoints are not available on this local server")


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
    _route("POST", "/v2/publish/{destination...}", publishing.publish),
    _route("POST", "/v2/enqueue/{queue}/{destination...}", publishing.enqueue),
    _route("POST", "/v2/batch", publishing.batch),
    _route("GET", "/v2/messages/{id}", messages.get_message),
    _route("DELETE", "/v2/messages/{id}", messages.cancel_message),
    _route("DELETE", "/v2/messages", messages.cancel_messages),
    _route("GET", "/v2/dlq", messages.list_dlq),
    _route("DELETE", "/v2/dlq", messages.delete_dlq_many),
    _route("POST", "/v2/dlq/retry", messages.retry_dlq_many),
    _route("POST", "/v2/dlq/retry/{id}", messages.retry_dlq),
    _route("GET", "/v2/dlq/{id}", messages.get_dlq),
    _route("DELETE", "/v2/dlq/{id}", messages.delete_dlq),
    _route("GET", "/v2/events", messages.list_events),
    _route("GET", "/v2/logs", messages.list_logs),
    _route("GET", "/v2/topics", topics.list_topics),
    _route("GET", "/v2/topics/{name}", topics.get_topic),
    _route("PATCH", "/v2/topics/{name}", topics.set_headers),
    _route("DELETE", "/v2/topics/{name}", topics.delete_topic),
    _route("POST", "/v2/topics/{name}/endpoints", topics.upsert_endpoints),
    _route("DELETE", "/v2/topics/{name}/endpoints", topics.remove_endpoints),
    _route("GET", "/v2/keys", topics.get_keys),
    _route("POST", "/v2/keys/rotate", topics.rotate_keys),
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
    _route("POST", "/v2/schedules/{destination...}", publishing.create_schedule),
    _route("GET", "/v2/flowControl", queues.list_flows),
    _route("GET", "/v2/flowControl/{key}", queues.get_flow),
    _route("POST", "/v2/flowControl/{key}/pause", partial(queues.set_flow_paused, paused=True)),
    _route("POST", "/v2/flowControl/{key}/resume", partial(queues.set_flow_paused, paused=False)),
    _route("POST", "/v2/flowControl/{key}/pin", queues.pin),
    _route("POST", "/v2/flowControl/{key}/unpin", queues.unpin),
    _route("POST", "/v2/flowControl/{key}/resetRate", partial(queues.reset, parallelism=False)),
    _route("POST", "/v2/flowControl/{key}/reset", partial(queues.reset, parallelism=True)),
    _route("GET", "/v2/globalParallelism", queues.global_parallelism),
    _route("GET", "/admin/counters", admin.counters),
    _route("GET", "/admin/faults", admin.show),
    _route("POST", "/admin/faults", admin.add),
    _route("DELETE", "/admin/faults", admin.clear),
    _route("POST", "/admin/reset", admin.reset),
    *(_route(method, path, _not_available) for path in _NOT_AVAILABLE for method in _METHODS),
)


class Router:
    """Finds the route of a request; paths are compared as sent, without decoding."""

    def __init__(self, routes: Iterable[Route] = ROUTES) -> None:
        self._by_head: dict[tuple[str, str], list[Route]] = {}
        for route in routes:
            self._by_head.setdefault((route.segments[0], route.segments[1]), []).append(route)

    def match(self, method: str, raw_path: str) -> tuple[Route, Mapping[str, str]]:
        """Return the route and the variable parts; 404 or 405 if there is none."""
        path = raw_path.removeprefix("/").split("/")
        found = False
        for route in self._by_head.get((path[0], path[1] if len(path) > 1 else ""), ()):
            params = route.match(path)
            if params is not None:
                if route.method == method:
                    return route, params
                found = True
        if found:
            raise ApiError(HTTPStatus.METHOD_NOT_ALLOWED, f"{method} is not allowed for {raw_path[:200]}")
        raise not_found(f"{raw_path[:200]} does not exist")
