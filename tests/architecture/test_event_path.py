"""The path of one event through our code: frames from its request to the store's requests, and modules entered.

The picture in docs/architecture.md is a trace of it.

One `agent.tool.call` over the real adapters, the local Redis and the local queue. A shorter path lowers the numbers.
"""

import re
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

import pytest
from httpx import ASGITransport, AsyncClient
from starlette.types import ASGIApp

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.engine.state import Job
from baton.queue.qstash.publisher import QStashQueue
from baton.settings.settings import Settings
from baton.store.transport.batching import Batcher
from baton.store.transport.http1 import Connection
from baton.worker.container import Container
from baton.worker.entry import LazyApp
from baton.worker.handlers import agent_loop, tool_executor
from baton.worker.wiring import real_ports
from baton_events.messages import Outgoing
from baton_events.schema import EventType
from tests.architecture.source_files import PACKAGES, ROOT
from tests.contract.emitter.qstash_process import QStashProcess
from tests.contract.store.redis_process import TOKEN, RedisProcess
from tests.unit.baton.kit.signing import delivery_headers, keyed

pytestmark = pytest.mark.bridge

# Of the delivery's own task, until it waits for its request; of the task that sends what several wait for; modules,
# three of which are the doors of values, of answers and of kept texts (`baton_events/values/json_value.py`,
# `bounded.py`, `store/redis/texts.py`).
REACHED = {"CLAIM": 12, "COMMIT": 14, "sending": 4, "modules": 80}
BASE = "http://127.0.0.1:9"
OURS = tuple(f"{ROOT / PACKAGES[name]}/" for name in ("baton", "baton_events"))
PICTURE = re.findall(r"^( +)([\w.]+: [\w.]+)", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE)
PICTURED = {name for _, name in PICTURE}
REQUEST, EXCHANGE = Batcher.send.__code__, Connection.exchange.__code__


@dataclass
class Trace:
    """What was entered: modules and the picture's functions, and our frames where a request was asked for or sent."""

    modules: dict[str, None] = field(default_factory=dict[str, None])
    requested: list[list[str]] = field(default_factory=list[list[str]])
    sent: list[list[str]] = field(default_factory=list[list[str]])
    pictured: dict[FrameType, tuple[str, str]] = field(default_factory=dict[FrameType, tuple[str, str]])

    def entered(self, frame: FrameType, event: str, _: object) -> None:
        """As `sys.setprofile` reports it."""
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(OURS):
            return
        self.modules.setdefault(code.co_filename)
        if code is REQUEST:
            self.requested.append(_stack(frame))
        elif code is EXCHANGE:
            self.sent.append(_stack(frame))
        if (name := _named(frame)) in PICTURED and frame not in self.pictured:
            depth, caller = 1, frame.f_back
            while caller is not None:
                depth, caller = depth + (_named(caller) in PICTURED), caller.f_back
            self.pictured[frame] = ("  " * depth, name)

    def longest(self, stacks: Iterable[list[str]], by: str) -> list[str]:
        return max((stack for stack in stacks if any(by in frame for frame in stack)), key=len)


def _named(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__', '').removeprefix('baton.')}: {frame.f_code.co_qualname}"


def _stack(frame: FrameType | None) -> list[str]:
    found = list[str]()
    while frame is not None:
        if frame.f_code.co_filename.startswith(OURS):
            found.append(f"{Path(frame.f_code.co_filename).relative_to(ROOT)}: {frame.f_code.co_qualname}")
        frame = frame.f_back
    return found[::-1]


@contextmanager
def traced() -> Iterator[Trace]:
    trace = Trace()
    sys.setprofile(trace.entered)
    try:
        yield trace
    finally:
        sys.setprofile(None)


@tool
async def double(number: int) -> int:
    """Double a number.

    Args:
        number: which.
    """
    return 2 * number


class Queue(QStashQueue):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.published: list[Outgoing] = []

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        self.published += messages
        return await super().publish(messages)

    def newest(self, kind: EventType) -> bytes:
        return next(one.body for one in reversed(self.published) if one.headers.get("x-event-type") == kind).encode()


async def delivered(app: ASGIApp, url: str, body: bytes) -> Trace:
    async with AsyncClient(transport=ASGITransport(app)) as http:
        request = http.build_request("POST", url, headers=delivery_headers(url, body), content=body)
        with traced() as trace:
            answer = await http.send(request)
    assert answer.json() == {"outcome": "done", "handedOn": 1}
    return trace


@pytest.fixture
async def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Trace]:
    """One tool call of a job in a process that has handled one before, with the default settings."""
    redis, qstash = RedisProcess(tmp_path / "redis"), QStashProcess(tmp_path / "qstash")
    requested = replace(qstash.settings(BASE), redis_url=redis.url, redis_token=TOKEN, http_transport="httptools")
    settings = keyed(requested)
    ports, queue = real_ports(settings), Queue(settings)
    registry = Registry([Agent("doubles", model=ScriptedModel([[Call("double", {"number": 2})], "4"]), tools=[double])])
    container = Container(settings, replace(ports, queue=queue), registry)
    turns = Container(replace(settings, continuation="queue"), container.ports, registry).endpoint(agent_loop.SPEC)
    monkeypatch.setattr("baton.worker.entry.container_from_environment", lambda: container)
    app = LazyApp(lambda built: built.endpoint(tool_executor.SPEC))

    async def submitted(name: str) -> None:
        job = Job(name, f"session-{name}", "tenant", "doubles", container.ports.clock.now_ms())
        await container.commands.submit(job, {"text": "double it", "data": {}})
        await delivered(turns, settings.endpoint_url(agent_loop.SPEC.path), queue.newest(EventType.LOOP_INIT))

    tools = settings.endpoint_url(tool_executor.SPEC.path)
    try:
        await submitted("job_warm")
        await delivered(app, tools, queue.newest(EventType.TOOL_CALL))
        await submitted("job_traced")
        yield await delivered(app, tools, queue.newest(EventType.TOOL_CALL))
    finally:
        await container.close()
        redis.stop()
        qstash.stop()


def test_an_event_takes_no_longer_path(trace: Trace) -> None:
    """A tool call is claimed and committed; then what follows is published."""
    found = {
        "CLAIM": trace.longest(trace.requested, "Claims.claim"),
        "COMMIT": trace.longest(trace.requested, "Pipeline._commit"),
        "sending": trace.longest(trace.sent, "RedisCommands"),
        "modules": [str(Path(name).relative_to(ROOT)) for name in trace.modules],
    }
    for title, names in found.items():
        sys.stdout.write("\n  ".join([f"{len(names)} {title}:", *names]) + "\n")
    assert {title: len(names) for title, names in found.items()} == REACHED
    assert list(trace.pictured.values()) == PICTURE
