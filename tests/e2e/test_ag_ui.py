"""AG-UI with its official client, on the real local stack; test_streams.py has many readers of it."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.docs.fence import fences_in
from tests.e2e.dev_stack import TALK_RECOVERY, DevStack
from tests.e2e.stream_agents import ANSWER, FIRST
from tests.npm_packages import find_node, npm_packages

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.node]

HERE = Path(__file__).parent / "ag_ui"
LIMIT_SECONDS = 300
AGENTS = "stream_agents"
ENVIRONMENT = {**TALK_RECOVERY, "APPROVAL_LINKS": "true"}


@pytest.fixture(scope="module")
def front_end(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("front-end")
    shutil.copy(HERE / "client.mjs", folder)
    (shown,) = (fence for fence in fences_in("docs/ag-ui.md") if fence.option("file") == "resumable.mjs")
    (folder / "resumable.mjs").write_text(shown.text)
    (folder / "node_modules").symlink_to(npm_packages(HERE, "ag-ui-client") / "node_modules")
    return folder


def started(front_end: Path, stack: DevStack, scenario: str) -> "subprocess.Popen[str]":
    access = (stack.described["app_url"], stack.described["client_key"])
    command = [find_node()[0], "client.mjs", scenario, *access]
    return subprocess.Popen(command, cwd=front_end, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(client: "subprocess.Popen[str]") -> dict[str, Any]:
    with client:
        out, errors = client.communicate(timeout=LIMIT_SECONDS)
    assert client.returncode == 0, errors
    found: dict[str, Any] = json.loads(out)
    return found


def texts_of(messages: list[dict[str, Any]]) -> list[str]:
    return [message["content"] for message in messages if message["role"] == "assistant" and message.get("content")]


def test_the_official_client_survives_a_kill_and_dropped_connections(stack: DevStack, front_end: Path) -> None:
    """Killed in mid-text: the abandoned words are taken back, and each message stands once."""
    client = started(front_end, stack, "talk")
    assert client.stdout is not None
    assert client.stdout.readline() == "talking\n"
    stack.wait_until_back("app", stack.kill("app"))
    found = ended(client)
    assert texts_of(found["messages"]) == [FIRST, ANSWER]
    assert [message["role"] for message in found["messages"]] == ["user", "assistant", "tool", "assistant"]
    assert "MESSAGES_SNAPSHOT" in found["kinds"], "the kill met no text in the middle"
    assert found["requests"] > 5


def test_the_official_client_answers_an_interrupt(stack: DevStack, front_end: Path) -> None:
    found = ended(started(front_end, stack, "decide"))
    (asked,) = found["asked"]
    assert (asked["reason"], asked["metadata"]["baton"]["arguments"]) == ("tool_call", {"euros": 400})
    assert [m["content"] for m in found["messages"] if m["role"] == "tool"] == ["40 paid"]
    assert (texts_of(found["messages"]), found["left"], found["state"]) == (["done"], [], {"paid": 40})
