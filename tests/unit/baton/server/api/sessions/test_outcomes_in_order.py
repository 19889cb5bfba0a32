"""An outcome that was answered 200 stands before each message that is sent after that, whatever the queue does."""

from collections.abc import AsyncIterator
from typing import Any

import pydantic_ai
import pytest
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

from baton import Agent, Call, Pending, Registry, ToolContext, tool
from baton.pydantic_ai import durable
from baton.sdk.models.model import ModelAnswer, ModelRequest
from baton.worker.handlers import sweep
from baton_events.messages import Outgoing
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage
from tests.unit.baton.server.api.client import ADMIN, OPERATIONS_KEY, Api, api_of, with_keys
from tests.unit.baton.server.api.sessions.chatting import parts_of, sending
from tests.unit.baton.worker.commands.test_operation_stream import add

told: list[str] = []


def orders(text: str) -> str:
    """Return the tool that a message asks for; empty: none, or it was called."""
    told.append(text)
    return next(
        (name for name in ("order", "pay", "build") if f"call {name}" in text and "started before" not in text), ""
    )


@tool
async def order(ctx: ToolContext) -> Pending:
    return Pending(timeout_seconds=3_600)


@tool(requires_approval=True)
def pay() -> str:
    return "paid"


@tool(background=True)
async def build(ctx: ToolContext) -> Pending:
    return Pending(timeout_seconds=3_600)


def own(request: ModelRequest) -> ModelAnswer:
    name = orders(repr(request.messages))
    return ModelAnswer("", (Call(name),)) if name and len(request.messages) == 1 else ModelAnswer("fine")


def library() -> Any:
    def answer(messages: list[Any], _: Any) -> ModelResponse:
        name = orders(repr(messages))
        return ModelResponse([ToolCallPart(name, {}) if name and len(messages) == 1 else TextPart("fine")])

    agent = pydantic_ai.Agent(FunctionModel(answer), name="library")

    @agent.tool_plain
    def order() -> Pending:
        return Pending(timeout_seconds=3_600)

    @agent.tool_plain(requires_approval=True)
    def pay() -> str:
        return "paid"

    return durable(agent)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    told.clear()
    registry = Registry([Agent("own", Listening(own), tools=[order, pay, build]), library()])
    settings = with_keys(operations_api_key=OPERATIONS_KEY)
    async with api_of(PlayedStage(registry=registry, settings=settings)) as made:
        yield made


async def send(api: Api, number: int, text: str, agent: str, **fields: Any) -> list[dict[str, Any]]:
    api.stage.clock.ms += 10
    requesting = await sending(api, "chat-1", f"m{number}", text, agent=agent, **fields)
    await api.stage.run(within_seconds=60)
    return parts_of(await requesting)


async def started(api: Api, agent: str, name: str = "order") -> dict[str, Any]:
    """Begin an operation, of whose job the queue delivers nothing from now on."""
    parts = await send(api, 1, f"call {name}", agent)
    operation: dict[str, Any] = next(part["data"] for part in parts if part["type"] == "data-operation")
    deliver = api.stage._deliver

    async def held(message_id: str, message: Outgoing) -> None:
        if message.headers.get("x-job-id") != operation["jobId"]:
            await deliver(message_id, message)

    monkeypatched: Any = api.stage  # a queue that is late
    monkeypatched._deliver = held
    api.stage.clock.ms += 10
    return operation


OUTCOMES = [
    ({"success": True, "result": "R-77"}, 'is done. Its result: "R-77"]'),
    ({"success": False, "error": "sold out"}, "has failed: operation_failed: sold out]"),
    ({"success": True, "result": None}, "is completed.]"),
    ({"success": True}, "is completed.]"),
]


@pytest.mark.parametrize("agent", ["own", "library"])
@pytest.mark.parametrize(("body", "text"), OUTCOMES)
async def test_a_message_behind_an_outcome_finds_it_told(api: Api, agent: str, body: dict[str, Any], text: str) -> None:
    operation = await started(api, agent)
    for applied in (True, True):  # its sender repeats it
        answer = await api.complete(operation["operationId"], **body)
        assert (answer.status_code, answer.json()["applied"]) == (200, applied)
    await send(api, 2, "behind it", agent)
    assert told[-1].index(text) < told[-1].index("behind it")
    assert told[-1].count(text) == 1


async def test_an_outcome_that_comes_while_the_tool_runs_in_the_background_is_told(api: Api) -> None:
    """It is kept for the wait that the tool begins, and told once."""
    operation = await started(api, "own", "build")
    assert (await api.complete(operation["operationId"], success=True, result="R-77")).json()["applied"]
    await send(api, 2, "behind it", "own")
    assert told[-1].index("R-77") < told[-1].index("behind it")
    vars(api.stage).pop("_deliver")  # the queue delivers again
    await api.stage.run(within_seconds=60)
    await send(api, 3, "at last", "own")
    assert told[-1].count("R-77") == 1


async def test_an_outcome_of_the_stream_is_told_before_its_entry_is_acknowledged(api: Api) -> None:
    operation = await started(api, "own")
    container = api.stage.container
    container.endpoint(sweep.SPEC)
    add(api.stage, "1-0", operation_id=operation["operationId"], success="true", result='"R-77"')
    assert await container.operations.outcomes.poll() == 1
    await send(api, 2, "behind it", "own")
    assert told[-1].index("R-77") < told[-1].index("behind it")


@pytest.mark.parametrize("when_busy", ["interrupt", "rollback"])
async def test_a_message_that_pushes_the_answer_aside_is_told_the_outcome(api: Api, when_busy: str) -> None:
    operation = await started(api, "own")
    await api.complete(operation["operationId"], success=True, result="R-77")
    await send(api, 2, "behind it", "own", whenBusy=when_busy)
    assert told[-1].index("R-77") < told[-1].index("behind it")


async def test_nothing_of_an_operation_is_told_whose_message_is_rolled_back(api: Api) -> None:
    """It goes on while its message is still answered."""
    requesting = await sending(api, "chat-1", "m1", "call order", agent="own")
    await api.stage.run(within_seconds=0)
    for job_id in list(api.stage.admission.entries):
        operations = [one for one in (await api.read(job_id))["toolCalls"] if "operationId" in one]
        for one in operations:
            await api.complete(one["operationId"], success=True, result="R-77")
    await send(api, 2, "behind it", "own", whenBusy="rollback")
    await requesting
    assert "behind it" in told[-1]


async def test_a_rejection_is_told_too(api: Api) -> None:
    await started(api, "own", "pay")
    (question,) = (await api.request("GET", "/api/admin/agent-checkpoints", ADMIN)).json()["checkpoints"]
    path = f"/api/admin/agent-checkpoints/{question['id']}"
    assert (await api.request("DELETE", path, ADMIN, json={"reason": "too dear"})).status_code == 200
    await send(api, 2, "behind it", "own")
    assert told[-1].index("has failed: rejected: too dear]") < told[-1].index("behind it")


async def test_an_operation_that_is_cancelled_meanwhile_is_continued_once(api: Api) -> None:
    """Its outcome was answered before; the job is over, and a repetition continues nothing again."""
    operation = await started(api, "own")
    await api.complete(operation["operationId"], success=True, result="R-77")
    await api.request("PATCH", f"/api/agent-jobs/{operation['jobId']}", json={"status": "cancelled"})
    await api.complete(operation["operationId"], success=True, result="R-77")
    await send(api, 2, "behind it", "own")
    assert told[-1].count("R-77") == 1


async def test_the_other_address_of_outcomes_does_the_same(api: Api) -> None:
    operation = await started(api, "own")
    path = f"/api/chat/operations/{operation['operationId']}/complete"
    headers = {"x-api-key": OPERATIONS_KEY}
    answer = await api.request("POST", path, "", json={"success": True, "result": "R-77"}, headers=headers)
    assert answer.status_code == 200, answer.text
    await send(api, 2, "behind it", "own")
    assert told[-1].index("R-77") < told[-1].index("behind it")
