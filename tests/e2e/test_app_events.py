"""Events of your own on the real local stack: from any program, to handlers, to a dead letter and its replay."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.dev_stack import PATIENCE_SECONDS, DevStack, wait_for
from tests.e2e.test_dev_jobs import call

pytestmark = pytest.mark.e2e

EMIT = """
import asyncio
from baton_events import emit
print(asyncio.run(emit("order.created", {"number": "A-7"}, key="A-7")))
"""


@pytest.fixture
def stack(new_stack: Callable[..., DevStack], tmp_path: Path) -> DevStack:
    """The shop's stack."""
    made = new_stack(arguments=("--port", "0", "--app", "shop_agents:registry"))
    made.working_folder = Path(__file__).parent
    made.environment = {**made.environment, "NOTES": str(tmp_path / "notes")}
    return made.start()


def dead_letters(stack: DevStack) -> list[dict[str, Any]]:
    """What the queue has given up on."""
    request = urllib.request.Request(
        f"{stack.described['qstash_url']}/v2/dlq",
        headers={"Authorization": f"Bearer {stack.described['qstash_token']}"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        found: list[dict[str, Any]] = json.load(answer)["messages"]
    return found


def handler(stack: DevStack, event_id: str) -> dict[str, Any]:
    """The one handler of an event."""
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
