"""Events of your own, and callbacks, on the real local stack."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract.qstash.destination import Destination, Reply
from tests.e2e.dev_stack import DevStack, wait_for

pytestmark = pytest.mark.e2e

AGENTS, ENVIRONMENT = "shop_agents", {"CALLBACK_SECRET": f"whsec_{32 * 'A'}"}

EMIT = """
import asyncio
from baton_events import emit
print(asyncio.run(emit("order.created", {"number": "A-7"}, key="A-7")))
"""


@pytest.fixture
def notes(stack: DevStack) -> Path:
    """What the handlers note in this test."""
    stack.notes_path.unlink(missing_ok=True)
    return stack.notes_path


def dead_letters(stack: DevStack) -> list[dict[str, Any]]:
    return list(stack.ask("qstash", "/v2/dlq")["messages"])


def status_of_handler(stack: DevStack, event_id: str) -> str:
    (found,) = stack.request("GET", f"/api/events/{event_id}")["handlers"]
    return str(found["status"])


def test_an_event_of_any_program_is_handled_and_what_fails_is_replayed(stack: DevStack, notes: Path) -> None:
    """By the program's environment alone; each handler's attempts have one idempotency key."""
    names = ("QSTASH_URL", "QSTASH_TOKEN", "WORKER_BASE_URL")
    environment = {name: stack.settings[name] for name in names} | {"TENANT": "dev"}
    done = subprocess.run([sys.executable, "-c", EMIT], env=environment, capture_output=True, text=True, check=True)
    wait_for(lambda: dead_letters(stack), "the dead letter", 60)
    assert status_of_handler(stack, done.stdout.strip()) == "completed"
    (letter,) = dead_letters(stack)
    assert letter["url"] == f"{stack.described['app_url']}/workers/events/order.booked"
    assert "there is no box" in letter["responseBody"]
    notes.with_suffix(".box").touch()
    replayed = stack.request("POST", f"/api/admin/messages/{letter['messageId']}/replay", "admin_key")
    assert replayed["sent"] is True
    booked = json.loads(letter["body"])["id"]
    wait_for(lambda: status_of_handler(stack, booked) == "completed", "the replayed handler", 60)
    lines = stack.noted()
    assert [line.split()[0] for line in lines] == ["book", "pack", "pack", "pack"]
    assert len(set(lines)) == 2


@pytest.mark.usefixtures("notes")
def test_a_batch_outlives_the_process_that_has_taken_its_first_events(stack: DevStack) -> None:
    """Killed with -9: each event is in the one batch."""
    events = list[str]()
    for number in (1, 2, 3):
        body = {"name": "parcel.ready", "data": f"P-{number}"}
        events.append(stack.request("POST", "/api/events", json=body)["id"])
        if number == 2:
            stack.wait_until_back("app", stack.kill("app"))
    wait_for(lambda: {status_of_handler(stack, event_id) for event_id in events} == {"completed"}, "the batch", 60)
    (line,) = set(stack.noted())
    assert line.startswith("send P-")
    assert sorted(line.split()[1].split("+")) == ["P-1", "P-2", "P-3"]


def test_the_end_of_a_job_is_called_back(stack: DevStack) -> None:
    """Again after an error, with the same id."""
    data = {"id": "evt_1", "name": "order.created", "key": "", "data": {"number": "A-7"}}
    data |= {"createdAt": "2026-01-01T00:00Z"}
    with Destination() as hook:
        hook.replies["/done"] = lambda _: Reply(200 if len(hook.at("/done")) > 1 else 500)
        body = {"jobType": "book", "inputData": data, "callbackUrl": hook.url("/done")}
        job_id = stack.request("POST", "/api/agent-jobs", json=body)["id"]
        sent = hook.wait("/done", 2)
    assert {each.headers["webhook-id"] for each in sent} == {f"msg_{job_id}.1"}
    assert [(job["id"], job["status"]) for job in (json.loads(each.body) for each in sent)] == [
        (job_id, "completed")
    ] * 2
