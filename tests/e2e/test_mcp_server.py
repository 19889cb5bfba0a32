"""MCP with the client of its official SDK, as a process, on the real local stack, which is killed in the middle."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import stacks
from tests.e2e.dev_stack import DevStack
from tests.e2e.stream_agents import ANSWER

pytestmark = pytest.mark.e2e

ENVIRONMENT = {
    "APPROVAL_LINKS": "true",
    "WORK_TIMEOUT_SECONDS": "3",
    "MESSAGE_TIMEOUT_SECONDS": "6",
    "MESSAGE_RETRY_DELAY_MS": "300",
}
LIMIT_SECONDS = 120


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevStack]:
    """A stack whose agents are tools."""
    with stacks(tmp_path_factory.mktemp("mcp")) as make:
        made = make(arguments=("--port", "0", "--app", "tests.e2e.mcp_agents:registry"))
        made.environment = {**made.environment, **ENVIRONMENT}
        yield made.start()


@pytest.mark.parametrize(("tool", "answer"), [("talker", ANSWER), ("payer", "done")])
def test_a_task_outlives_the_process_that_serves_it(stack: DevStack, tool: str, answer: str) -> None:
    """Killed once its client has the task's id: the client polls on, is asked where somebody is, and has the answer."""
    url, key = f"{stack.described['app_url']}/mcp", stack.described["client_key"]
    command = [sys.executable, "-m", "tests.e2e.mcp_client", url, key, tool]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        task_id = client.stdout.readline().strip()
        assert task_id.startswith("job_")
        stack.wait_until_back("app", stack.kill("app"))
        out, errors = client.communicate(timeout=LIMIT_SECONDS)
    assert client.returncode == 0, errors
    assert out.strip() == answer
