"""AG-UI with its official client, and a hundred readers that come and go, on the real local stack."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.fence import fences_in
from tests.e2e.ag_ui.reader import RunReader
from tests.e2e.conftest import stacks
from tests.e2e.dev_stack import DevStack, wait_for
from tests.e2e.stream_agents import ANSWER, FIRST
from tests.npm_packages import find_node, npm_packages

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent / "ag_ui"
LIMIT_SECONDS = 300
RUNS, READERS_OF_A_RUN = 10, 10
ENVIRONMENT = {
    "APPROVAL_LINKS": "true",
    "WORK_TIMEOUT_SECONDS": "3",
    "MESSAGE_TIMEOUT_SECONDS": "6",
    "MESSAGE_RETRY_DELAY_MS": "300",
    "MAX_CONCURRENT_JOBS": "20",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevStack]:
    """A stack with the agents of a front end."""
    with stacks(tmp_path_factory.mktemp("ag-ui")) as make:
        made = make(arguments=("--port", "0", "--app", "tests.e2e.ag_ui.agents:registry"))
        made.environment = {**made.environment, **ENVIRONMENT}
        yield made.start()


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


@pytest.mark.node
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


@pytest.mark.node
def test_the_official_client_answers_an_interrupt(stack: DevStack, front_end: Path) -> None:
    found = ended(started(front_end, stack, "decide"))
    (asked,) = found["asked"]
    assert (asked["reason"], asked["metadata"]["baton"]["arguments"]) == ("tool_call", {"euros": 400})
    assert [m["content"] for m in found["messages"] if m["role"] == "tool"] == ["40 paid"]
    assert (texts_of(found["messages"]), found["left"], found["state"]) == (["done"], [], {"paid": 40})


@pytest.mark.long
def test_a_hundred_readers_that_come_and_go_lose_nothing(stack: DevStack) -> None:
    runs = [[RunReader(stack, f"run-{run}", 10 * run + one) for one in range(READERS_OF_A_RUN)] for run in range(RUNS)]
    readers = [reader for run in runs for reader in run]
    for reader in readers:
        reader.start()
    wait_for(lambda: all(reader.done for reader in readers), "the end of every run", LIMIT_SECONDS)
    for run in runs:
        assert all(reader.events == run[0].events for reader in run)
        said = "".join(event["delta"] for event in run[0].parts if event["type"] == "TEXT_MESSAGE_CONTENT")
        assert said == FIRST + ANSWER
        assert run[0].parts[0]["type"] == "RUN_STARTED"
    assert sum(reader.breaks for reader in readers) > 2 * len(readers)
