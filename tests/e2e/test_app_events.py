"""Events of your own, and callbacks, on the real local stack."""

import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.e2e.dev_stack import PATIENCE_SECONDS, DevStack, wait_for
from tests.e2e.test_dev_jobs import call

pytestmark = pytest.mark.e2e

EMIT = """
import asyncio
from baton_events import emit
print(asyncio.run(emit("order.created", {"number": "A-7"}, key="A-7")))
"""


class Hook(BaseHTTPRequestHandler):
    """Refuses the first callback, and keeps what comes."""

    received: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.received.append((self.headers["webhook-id"], body))
        self.send_response(200 if len(self.received) > 1 else 500)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's signature
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Hook)
    Hook.received.clear()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/done"
    server.shutdown()
    server.server_close()


@pytest.fixture
def stack(new_stack: Callable[..., DevStack], tmp_path: Path) -> DevStack:
    """The shop's stack."""
    made = new_stack(arguments=("--port", "0", "--app", "shop_agents:registry"))
    made.working_folder = Path(__file__).parent
    made.environment = {**made.environment, "NOTES": str(tmp_path / "notes"), "CALLBACK_SECRET": "secret"}
    return made.start()


def dead_letters(stack: DevStack) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        f"{stack.described['qstash_url']}/v2/dlq",
        headers={"Authorization": f"Bearer {stack.described['qstash_token']}"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        found: list[dict[str, Any]] = json.load(answer)["messages"]
    return found


def handler(stack: DevStack, event_id: str) -> dict[str, Any]:
    (found,) = call(stack, "GET", f"/api/events/{event_id}")["handlers"]
    return dict(found)


def test_an_event_of_any_program_is_handled_and_what_fails_is_replayed(stack: DevStack, tmp_path: Path) -> None:
    """By the program's environment alone; each handler's attempts have one idempotency key."""
    described, notes = stack.described, tmp_path / "notes"
    environment = {
        "QSTASH_URL": described["qstash_url"],
        "QSTASH_TOKEN": described["qstash_token"],
        "WORKER_BASE_URL": described["app_url"],
        "TENANT": "dev",
    }
    done = subprocess.run([sys.executable, "-c", EMIT], env=environment, capture_output=True, text=True, check=True)
    event_id = done.stdout.strip()
    wait_for(lambda: bool(dead_letters(stack)), "the dead letter", 60)
    assert handler(stack, event_id)["status"] == "completed"
    (letter,) = dead_letters(stack)
    assert letter["url"] == f"{described['app_url']}/workers/events/order.booked"
    assert "there is no box" in letter["responseBody"]
    notes.with_suffix(".box").touch()
    request = urllib.request.Request(
        f"{described['app_url']}/api/admin/messages/{letter['messageId']}/replay",
        method="POST",
        headers={"Authorization": f"Bearer {described['admin_key']}"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        assert json.load(answer)["sent"] is True
    booked = json.loads(letter["body"])["id"]
    wait_for(lambda: handler(stack, booked)["status"] == "completed", "the replayed handler", 60)
    lines = notes.read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["book", "pack", "pack", "pack"]
    assert len(set(lines)) == 2


def test_a_batch_outlives_the_process_that_has_taken_its_first_events(stack: DevStack, tmp_path: Path) -> None:
    notes, events = tmp_path / "notes", list[str]()
    for number in (1, 2, 3):
        events.append(call(stack, "POST", "/api/events", {"name": "parcel.ready", "data": f"P-{number}"})["id"])
        if number == 2:
            stack.wait_until_back("app", stack.kill("app"))
    wait_for(lambda: {handler(stack, event_id)["status"] for event_id in events} == {"completed"}, "the batch", 60)
    (line,) = set(notes.read_text().splitlines())
    assert line.startswith("send P-")
    assert sorted(line.split()[1].split("+")) == ["P-1", "P-2", "P-3"]


def test_the_end_of_a_job_is_called_back(stack: DevStack, hook: str) -> None:
    data = {
        "id": "evt_1",
        "name": "order.created",
        "key": "",
        "data": {"number": "A-7"},
        "createdAt": "2026-01-01T00:00Z",
    }
    body = {"jobType": "book", "inputData": data, "callbackUrl": hook}
    job_id = call(stack, "POST", "/api/agent-jobs", body)["id"]
    wait_for(lambda: len(Hook.received) > 1, "the second callback", 60)
    assert {webhook_id for webhook_id, _ in Hook.received} == {f"msg_{job_id}.1"}
    assert [(job["id"], job["status"]) for job in (json.loads(sent) for _, sent in Hook.received)] == [
        (job_id, "completed")
    ] * 2
