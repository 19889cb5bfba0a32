"""The tools that ask whether an operation is done yet, and those that remember and recall."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from baton import (
    Agent,
    Call,
    Pending,
    Registry,
    ScriptedModel,
    ToolContext,
    check_operation_status,
    operation_status,
    recall,
    remember,
    tool,
)
from baton.sdk.tools.arguments import InvalidArguments
from baton.sdk.tools.context import NoMemory
from baton.sdk.tools.tool_error import ToolError
from baton.server.protocols.chat_aliases import ToolResponse
from baton.worker.commands.completion_body import CompletionBody
from baton.worker.executors.tool_context import TenantOperations
from tests.unit.baton.kit.stage import Stage

DONE, FAILED = CompletionBody(success=True, result=[1]), CompletionBody(success=False, error="sold out")


@tool
async def order() -> Pending:
    """Order something."""
    return Pending(timeout_seconds=3_600)


async def waiting(body: CompletionBody | None = None) -> tuple[Stage, str]:
    """A job whose operation waits; `body`: its outcome has come."""
    agent = Agent(name="orders", model=ScriptedModel([[Call("order")], "done"]), tools=[order])
    stage = Stage(registry=Registry([agent]))
    await stage.deliver(await stage.submit("orders"), "m1")
    await stage.deliver(stage.events()[-1], "m2")
    (call,) = await stage.calls()
    if body:
        await stage.container.operations.completing.complete(call.operation_id, body, "x")
    return stage, call.operation_id


async def test_an_operation_is_waiting_until_its_outcome_has_come() -> None:
    """It is done as soon as its outcome is recorded, taken in or not; a failed one says why, as the model is told."""
    stage, operation_id = await waiting()
    found: dict[str, Any] = {"operationId": operation_id, "status": "waiting", "tool": "order"}
    assert await TenantOperations(stage.reader, "acme").status(operation_id) == {**found, "done": False}
    stage, operation_id = await waiting(DONE)
    known, found = TenantOperations(stage.reader, "acme"), {**found, "operationId": operation_id}
    assert await known.status(operation_id) == {**found, "done": True, "result": [1]}
    await stage.run()
    assert await known.status(operation_id) == {**found, "status": "completed", "done": True, "result": [1]}
    stage, operation_id = await waiting(FAILED)
    failed = await TenantOperations(stage.reader, "acme").status(operation_id)
    assert (failed["done"], failed["error"]) == (True, {"type": "operation_failed", "message": "sold out"})


@pytest.mark.parametrize("unknown", ["op_job_9-1-0-abc", "nonsense", "job_1"])
async def test_an_unknown_operation_and_one_of_another_tenant_are_answered_alike(unknown: str) -> None:
    stage, operation_id = await waiting()
    nothing = {"status": "unknown", "done": False}
    assert await TenantOperations(stage.reader, "acme").status(unknown) == {"operationId": unknown, **nothing}
    of_another = await TenantOperations(stage.reader, "other").status(operation_id)
    assert of_another == {"operationId": operation_id, **nothing}


async def test_a_model_may_request_it() -> None:
    """The tool runs with what its job may know."""
    script = ScriptedModel([[Call("operation_status", {"operation_id": "op_job_9-1-0-abc"})], "done"])
    stage = Stage(registry=Registry([Agent(name="asks", model=script, tools=[operation_status])]))
    await stage.submit("asks")
    await stage.run()
    snapshot = await stage.snapshot()
    (result,) = snapshot.results.values()
    assert result == {"ok": {"operationId": "op_job_9-1-0-abc", "status": "unknown", "done": False}}


@pytest.mark.parametrize(("body", "status"), [(None, "running"), (DONE, "completed"), (FAILED, "failed")])
async def test_it_is_answered_as_seed_003_has_it(body: CompletionBody | None, status: str) -> None:
    """`check_operation_status`: three statuses, by the operation's id or by its task's."""
    stage, operation_id = await waiting(body)
    task_id = (await stage.snapshot()).job.id
    context = replace(ToolContext.for_test(), operations=TenantOperations(stage.reader, "acme"))
    for arguments in ({"operation_id": operation_id}, {"task_id": task_id}, {"operation_id": "x", "task_id": task_id}):
        answer = await check_operation_status.run(arguments, context)
        assert TypeAdapter[Any](ToolResponse).validate_python(answer).model_dump() == answer
        assert (answer["status"], answer["tool_name"]) == (status, "order")
        assert (answer["operation_id"], answer["task_id"]) == (operation_id, task_id)


@pytest.mark.parametrize(("arguments", "error"), [({}, "missing_parameter"), ({"operation_id": "op_1"}, "not_found")])
async def test_what_is_not_there_is_an_error_in_the_seeds_words(arguments: dict[str, str], error: str) -> None:
    answer = await check_operation_status.run(arguments, ToolContext.for_test())
    assert (answer["type"], answer["error"]) == ("error", error)


async def test_they_pass_on_what_the_model_requests() -> None:
    """An agent finds them by `capabilities={"memory"}` where the registry has them."""
    context = ToolContext.for_test()
    for text in ("The lamp is red.", "The door is green."):
        assert await remember.run({"text": text}, context) == {"remembered": True}
    assert await recall.run({"query": "lamp"}, context) == {"entries": [{"text": "The lamp is red."}]}
    assert await recall.run({"query": "the", "limit": 1}, context) == {"entries": [{"text": "The lamp is red."}]}
    assert context.recorder.memory.notes == ["The lamp is red.", "The door is green."]
    assert context.recorder.memory.queries == ["lamp", "the"]
    assert remember.capabilities == recall.capabilities == {"memory"}


@pytest.mark.parametrize("text", ["", "x" * 4001])
def test_a_note_has_a_limited_size(text: str) -> None:
    with pytest.raises(InvalidArguments, match="text"):
        remember.check({"text": text})


async def test_a_context_without_memory_says_so() -> None:
    """As an error of the tool, not worth another attempt."""
    context = replace(ToolContext.for_test(), memory=NoMemory())
    for used, arguments in ((remember, {"text": "a"}), (recall, {"query": "a"})):
        with pytest.raises(ToolError, match="there is no memory here") as raised:
            await used.run(arguments, context)
        assert not raised.value.retryable
