"""The two pictures of docs/architecture.md: the house, by its imports, and the path of an event, as it is traced.

The house shows the folders of `baton` and which imports which. An arrow that follows from others is left out: who
imports by way of another folder, or of a module beside the folders. The event is one `agent.tool.call`: its run is real
but for the queue and the signature; the store is in this process. Invariant: nothing opens a connection, and the same
code gives the same pictures.
"""

import asyncio
import inspect
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from http import HTTPStatus
from types import CodeType, FrameType
from typing import Any

import grimp  # comes with import-linter
from msgspec.structs import replace
from starlette.types import ASGIApp

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.engine.decide import decide
from baton.queue.dispatch import dispatch
from baton.queue.ports import Verifier
from baton.server.api.jobs.submission import SubmitBody, new_job
from baton.server.app import webhook_apps
from baton.settings.settings import Settings
from baton.store.redis.in_process.server import InProcessConnection, InProcessRedis
from baton.store.redis.store import Store
from baton.worker.container import Container
from baton.worker.executors.tool_run import ToolRun
from baton.worker.runtime.pipeline import Pipeline
from baton.worker.runtime.webhook import SignedEndpoint
from baton.worker.wiring import real_ports
from baton_events.messages import Outgoing, Queue
from baton_events.schema import ENDPOINTS, EventType, parse_event
from baton_local.replay.executors import CountingTokens, ReplayQueue
from baton_local.replay.play import ReplayClock

_PACKAGES = ("baton_local", "baton", "baton_events")


def house() -> str:
    """Draw an arrow from each folder to those that it imports."""
    graph = grimp.build_graph(*_PACKAGES, cache_dir=None)
    folders = [part for part in sorted(graph.find_children("baton")) if graph.find_children(part)]
    shown = ["baton_local", *folders, "baton_events"]
    for part in shown:
        graph.squash_module(part)
    below = {
        part: {other for other in shown if other != part and graph.chain_exists(importer=part, imported=other)}
        for part in shown
    }
    arrows = [f"{_short(part)} --> {' & '.join(_next(part, below))}" for part in shown if below[part]]
    return "\n".join(["```mermaid", "flowchart TD", *(f"    {arrow}" for arrow in arrows), "```"])


def _next(part: str, below: Mapping[str, set[str]]) -> list[str]:
    """Return those below a part that are below none of its others."""
    further = {other for between in below[part] for other in below[between]}
    return sorted(_short(other) for other in below[part] - further)


def _short(part: str) -> str:
    return part.removeprefix("baton.")


_URL = "https://picture.invalid"
_SETTINGS = Settings(worker_base_url=_URL, qstash_token="picture", continuation="literal")  # noqa: S106 - opens nothing
_WIDTH = 46


class _AnySignature:
    """`Verifier` for a run without a queue that signs."""

    def signed_digest(self, signature: str, url: str) -> str:  # noqa: ARG002 - any signature is accepted
        return ""

    def check_body(self, digest: str, body: bytes) -> None:
        """Accept it."""


# A function that is looked for on the way → the one that is shown for it, where a port stands between the two.
_WATCHED: tuple[tuple[Callable[..., Any], Callable[..., Any]], ...] = (
    (SignedEndpoint.__call__, SignedEndpoint.__call__),
    (_AnySignature.signed_digest, Verifier.signed_digest),
    (_AnySignature.check_body, Verifier.check_body),
    (parse_event, parse_event),
    (Pipeline.handle, Pipeline.handle),
    (Store.claim, Store.claim),
    (decide, decide),
    (ToolRun.__call__, ToolRun.__call__),
    (Store.commit, Store.commit),
    (dispatch, dispatch),
    (ReplayQueue.publish, Queue.publish),
)
_SHOWN: Mapping[CodeType, Callable[..., Any]] = {function.__code__: shown for function, shown in _WATCHED}


def event_path() -> str:
    """Draw the functions that one event passes, each below the one that calls it."""
    rows = [f"queue ──▶ POST {ENDPOINTS[EventType.TOOL_CALL]}", *asyncio.run(_traced()), "queue ◀── 200"]
    return "\n".join(["```text", *rows, "```"])


async def _traced() -> list[str]:
    queue = ReplayQueue()
    container = _container(queue)
    apps = webhook_apps(container)
    body = SubmitBody.model_validate({"jobType": "picture", "taskDescription": "draw"})
    job = new_job(body, container.registry, job_id="job_picture", session_id="picture", tenant="picture", now_ms=0)
    await container.commands.submit(job, {"text": "draw", "data": {}})
    while due := [(message_id, message) for message_id, message in queue.take() if not message.not_before_ms]:
        for message_id, message in due:
            path = message.url.removeprefix(_URL)
            if path != ENDPOINTS[EventType.TOOL_CALL]:
                await _deliver(apps[path], message_id, message)
                continue
            trace = _Trace()
            sys.setprofile(trace)
            try:
                await _deliver(apps[path], message_id, message)
            finally:
                sys.setprofile(None)
            return trace.rows
    raise AssertionError("the job of the picture has a tool call")


def _container(queue: Queue) -> Container:
    clock = ReplayClock(0)
    ports = replace(
        real_ports(_SETTINGS, InProcessConnection(InProcessRedis(clock.now_ms))),
        queue=queue,
        verifier=_AnySignature(),
        clock=clock,
        randomness=CountingTokens(),
    )
    agent = Agent("picture", model=ScriptedModel([[Call("draw", {})], "done"]), tools=[draw])
    return Container(_SETTINGS, ports, Registry([agent]))


@tool()
async def draw() -> str:
    """Draw a line."""
    return "a line"


async def _deliver(app: ASGIApp, message_id: str, message: Outgoing) -> None:
    headers = {"upstash-signature": "any", "upstash-message-id": message_id, **message.headers}
    scope = {
        "type": "http",
        "method": "POST",
        "path": message.url.removeprefix(_URL),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": message.body.encode()}

    async def send(sent: MutableMapping[str, Any]) -> None:
        if sent.get("status", 200) != HTTPStatus.OK:
            raise AssertionError(f"{message.url} answered {sent['status']}")

    await app(scope, receive, send)


class _Trace:
    """A profile function that notes each call of a watched function, below the watched ones that called it."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self._frames: list[FrameType] = []  # kept, so that no other one gets the id of one that is over

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Note one call; a coroutine that goes on is noted once."""
        shown = _SHOWN.get(frame.f_code)
        if event != "call" or shown is None or any(frame is known for known in self._frames):
            return
        self._frames.append(frame)
        name = f"{'  ' * _depth(frame)}{shown.__module__.removeprefix('baton.')}: {shown.__qualname__}"
        self.rows.append(f"{name:<{_WIDTH}} {_first_clause(shown)}")


def _first_clause(function: Callable[..., Any]) -> str:
    return re.split(r"[.;]", inspect.getdoc(function) or "")[0]


def _depth(frame: FrameType) -> int:
    depth = 1
    while (caller := frame.f_back) is not None:
        frame, depth = caller, depth + (caller.f_code in _SHOWN)
    return depth
