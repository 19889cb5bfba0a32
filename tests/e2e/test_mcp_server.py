"""MCP with the client of its official SDK, as a process, on the real local stack, which is killed in the middle."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Literal

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult

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


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_call_asks_a_person_and_goes_on(stack: DevStack, mode: Literal["legacy", "auto"]) -> None:
    """On its stream in revision 2025-11-25, by another call in 2026-07-28: the SDK does both by itself."""
    messages = list[str]()

    async def ask(context: Any, params: Any) -> ElicitResult:
        messages.append(params.message)
        return ElicitResult(action="accept", content={"approved": True})

    headers = {"Authorization": f"Bearer {stack.described['client_key']}"}
    async with httpx2.AsyncClient(headers=headers, timeout=LIMIT_SECONDS) as http:
        transport = streamable_http_client(f"{stack.described['app_url']}/mcp", http_client=http)
        async with Client(transport, mode=mode, elicitation_callback=ask) as client:
            result = await client.call_tool("payer", {"task": "hello"})
    assert [part.text for part in result.content if part.type == "text"] == ["done"]
    assert messages == ['run tool pay\npay {"euros":400}']
