"""What a collector has of a job whose process is killed while it goes on with the next step in place."""

import gzip
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from baton_local.fixtures.agent_app import AgentApp

pytestmark = pytest.mark.e2e
LIMIT_SECONDS, POLL_SECONDS = 30.0, 0.05


class Collector(ThreadingHTTPServer):
    """Takes spans: their names, by id, and how often each came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.names: dict[bytes, str] = {}
        self.times: Counter[bytes] = Counter()

    def of_work(self) -> list[str]:
        return sorted(name for name in list(self.names.values()) if name.startswith(("chat", "execute_tool")))

    def has(self, *names: str) -> bool:
        """Whether exactly these spans of models and tools come in time."""
        give_up_at = time.monotonic() + LIMIT_SECONDS
        while self.of_work() != sorted(names) and time.monotonic() < give_up_at:
            time.sleep(POLL_SECONDS)
        return self.of_work() == sorted(names)


class _Taking(BaseHTTPRequestHandler):
    server: Any  # a `Collector`

    def do_POST(self) -> None:
        body, asked = self.rfile.read(int(self.headers["content-length"])), ExportTraceServiceRequest()
        asked.ParseFromString(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
        for span in (one for each in asked.resource_spans for scope in each.scope_spans for one in scope.spans):
            self.server.names[span.span_id] = span.name
            self.server.times[span.span_id] += 1
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Print nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.long
def test_a_process_that_is_killed_has_sent_the_spans_of_its_committed_steps(
    agent_app: Callable[..., AgentApp], collector: Collector, tmp_path: Path
) -> None:
    """Though its delivery was not over; and each span comes once."""
    gate, endpoint = tmp_path / "gate", f"http://127.0.0.1:{collector.server_port}"
    app = agent_app("tests.e2e.traced_agents:registry", GATE=str(gate), OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    job_id, committed = app.submit("naps"), ["chat scripted", "chat scripted", "execute_tool add"]
    assert collector.has(*committed), collector.of_work()
    assert app.job(job_id)["toolCalls"][1]["status"] == "running"
    app.kill()
    gate.touch()
    app.start()
    assert app.wait(job_id, limit_seconds=60)["status"] == "completed"
    assert collector.has(*committed, "chat scripted", "execute_tool nap"), collector.of_work()
    assert set(collector.times.values()) == {1}
