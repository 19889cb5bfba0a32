"""A2A and MCP with the clients of their official SDKs, on the real local stack, which is killed in the middle."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx
import httpx2
import mcp
import pytest
from a2a.client import Client, ClientConfig, ClientFactory
from a2a.client.errors import A2AClientError
from a2a.helpers import new_data_message, new_text_message
from a2a.types.a2a_pb2 import (
    CancelTaskRequest,
    GetTaskRequest,
    Role,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)
from a2a.utils.errors import TaskNotCancelableError, UnsupportedOperationError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult

from tests.e2e.dev_stack import TALK_RECOVERY, DevStack
from tests.e2e.stream_agents import ANSWER

pytestmark = pytest.mark.e2e

AGENTS = "stream_agents"
ENVIRONMENT = {**TALK_RECOVERY, "APPROVAL_LINKS": "true"}
LIMIT_SECONDS = 120


@asynccontextmanager
async def client_of(stack: DevStack, agent: str, *, streaming: bool = True) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {stack.described['client_key']}"}
    async with httpx.AsyncClient(headers=headers, timeout=LIMIT_SECONDS) as http:
        factory = ClientFactory(ClientConfig(streaming=streaming, httpx_client=http))
        yield await factory.create_from_url(f"{stack.described['app_url']}/a2a/{agent}")


def hello(context_id: str = "") -> SendMessageRequest:
    return SendMessageRequest(message=new_text_message("hello", context_id=context_id, role=Role.ROLE_USER))


async def said(client: Client, message: SendMessageRequest) -> Task:
    """The task of a message, once it is answered: without a stream there is one answer."""
    [answer] = [each async for each in client.send_message(message)]
    return answer.task


def state_of(answer: StreamResponse) -> TaskState:
    return answer.task.status.state if answer.HasField("task") else answer.status_update.status.state


@pytest.mark.long
async def test_a_task_of_a2a_outlives_the_process_that_works_on_it(stack: DevStack) -> None:
    """Killed in mid-text: the client subscribes again, and at last has the answer, once."""
    async with client_of(stack, "talker") as client:
        task_id, text, ended = "", "", False
        stream = client.send_message(hello())
        old_pid = 0
        while not ended:
            try:
                async for answer in stream:
                    task_id = task_id or answer.task.id
                    if answer.HasField("artifact_update"):
                        update = answer.artifact_update
                        text = (text if update.append else "") + update.artifact.parts[0].text
                        if not old_pid:
                            old_pid = stack.kill("app")
                    ended = state_of(answer) == TaskState.TASK_STATE_COMPLETED
            except (A2AClientError, httpx.HTTPError):
                await asyncio.sleep(0.5)
            except UnsupportedOperationError:  # it has ended meanwhile
                break
            stream = client.subscribe(SubscribeToTaskRequest(id=task_id))
        task = await client.get_task(GetTaskRequest(id=task_id))
        assert [part.text for part in task.artifacts[0].parts] == [ANSWER]
        assert not ended or text == ANSWER
        stack.wait_until_back("app", old_pid)


async def test_input_is_required_and_given_by_a2a(stack: DevStack) -> None:
    """With other arguments; the conversation goes on in its context."""
    async with client_of(stack, "payer", streaming=False) as client:
        asked = await said(client, hello())
        assert asked.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
        answer = {"approved": True, "editedArgs": {"euros": 40}}
        message = new_data_message(answer, task_id=asked.id, context_id=asked.context_id, role=Role.ROLE_USER)
        done = await said(client, SendMessageRequest(message=message))
        assert done.status.state == TaskState.TASK_STATE_COMPLETED
        assert [part.text for part in done.artifacts[0].parts] == ["done"]
        with pytest.raises(TaskNotCancelableError):
            await client.cancel_task(CancelTaskRequest(id=done.id))
        other = await said(client, hello(asked.context_id))
        cancelled = await client.cancel_task(CancelTaskRequest(id=other.id))
        assert cancelled.status.state == TaskState.TASK_STATE_CANCELED


@pytest.mark.long
@pytest.mark.parametrize(("tool", "answer"), [("talker", ANSWER), ("payer", "done")])
def test_a_task_of_mcp_outlives_the_process_that_serves_it(stack: DevStack, tool: str, answer: str) -> None:
    """Killed once its client has the task's id: the client polls on, is asked where somebody is, and has the answer."""
    url, key = f"{stack.described['app_url']}/mcp", stack.described["client_key"]
    command = [sys.executable, "-m", "tests.e2e.mcp_client", url, key, tool]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
        try:
            assert client.stdout is not None
            assert client.stdout.readline().startswith("job_")
            stack.wait_until_back("app", stack.kill("app"))
            out, errors = client.communicate(timeout=LIMIT_SECONDS)
        finally:
            client.kill()
    assert client.returncode == 0, errors
    assert out.strip() == answer


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_call_of_mcp_asks_a_person_and_goes_on(stack: DevStack, mode: Literal["legacy", "auto"]) -> None:
    """On its stream in revision 2025-11-25, by another call in 2026-07-28: the SDK does both by itself."""
    messages = list[str]()

    async def ask(context: Any, params: Any) -> ElicitResult:
        messages.append(params.message)
        return ElicitResult(action="accept", content={"approved": True})

    headers = {"Authorization": f"Bearer {stack.described['client_key']}"}
    async with httpx2.AsyncClient(headers=headers, timeout=LIMIT_SECONDS) as http:
        transport = streamable_http_client(f"{stack.described['app_url']}/mcp", http_client=http)
        async with mcp.Client(transport, mode=mode, elicitation_callback=ask) as client:
            result = await client.call_tool("payer", {"task": "hello"})
    assert [part.text for part in result.content if part.type == "text"] == ["done"]
    assert messages == ['run tool pay\npay {"euros":400}']
