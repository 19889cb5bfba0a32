"""A2A with the client of its official SDK, on the real local stack, which is killed in the middle."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
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
    """A stack whose agents are exposed."""
    with stacks(tmp_path_factory.mktemp("a2a")) as make:
        made = make(arguments=("--port", "0", "--app", "tests.e2e.a2a_agents:registry"))
        made.environment = {**made.environment, **ENVIRONMENT}
        yield made.start()


@asynccontextmanager
async def client_of(stack: DevStack, agent: str, *, streaming: bool = True) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {stack.described['client_key']}"}
    async with httpx.AsyncClient(headers=headers, timeout=LIMIT_SECONDS) as http:
        factory = ClientFactory(ClientConfig(streaming=streaming, httpx_client=http))
        yield await factory.create_from_url(f"{stack.described['app_url']}/a2a/{agent}")


def hello(context_id: str = "") -> SendMessageRequest:
    message = new_text_message("hello", context_id=context_id, role=Role.ROLE_USER)
    return SendMessageRequest(message=message)


async def said(client: Client, context_id: str = "") -> Task:
    answers = client.send_message(hello(context_id))
    return [answer.task async for answer in answers][-1]


def state_of(answer: StreamResponse) -> TaskState:
    return answer.task.status.state if answer.HasField("task") else answer.status_update.status.state


async def test_a_task_outlives_the_process_that_works_on_it(stack: DevStack) -> None:
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


async def test_input_is_required_and_given(stack: DevStack) -> None:
    """With other arguments; the conversation goes on in its context."""
    async with client_of(stack, "payer", streaming=False) as client:
        asked = await said(client)
        assert asked.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
        answer = {"approved": True, "editedArgs": {"euros": 40}}
        message = new_data_message(answer, task_id=asked.id, context_id=asked.context_id, role=Role.ROLE_USER)
        (done,) = [one.task async for one in client.send_message(SendMessageRequest(message=message))]
        assert done.status.state == TaskState.TASK_STATE_COMPLETED
        assert [part.text for part in done.artifacts[0].parts] == ["done"]
        with pytest.raises(TaskNotCancelableError):
            await client.cancel_task(CancelTaskRequest(id=done.id))
        other = await said(client, asked.context_id)
        cancelled = await client.cancel_task(CancelTaskRequest(id=other.id))
        assert cancelled.status.state == TaskState.TASK_STATE_CANCELED
