"""What a rolled-back message has started in the background is taken back with it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from baton import Agent, Pending, Registry, tool
from baton.worker.commands.completion_body import CompletionBody
from baton.worker.commands.taking_back import TakeBack
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import OPERATIONS_KEY, Api, api_with
from tests.unit.baton.server.api.sessions.chatting import sending
from tests.unit.baton.server.api.sessions.test_background import (
    Says,
    complete,
    last_answer,
    order,
    run_for_a_minute,
    session,
    wait,
)


def chats_with(*tools: Any) -> AbstractAsyncContextManager[Api]:
    registry = Registry([Agent(name="says", model=Says(), tools=tools)])
    return api_with(registry, operations_api_key=OPERATIONS_KEY)


@pytest.mark.parametrize("when_busy", ["interrupt", "rollback"])
async def test_a_rollback_takes_the_operations_back(when_busy: str) -> None:
    """Which an interruption does not: of an outcome that comes then the model is told."""
    async with chats_with(order, wait) as api:
        first = await sending(api, "chat-1", "m1", "call order,wait")
        await run_for_a_minute(api)
        (operation,) = (await session(api))["activeOperations"]
        second = await sending(api, "chat-1", "m2", "hello", whenBusy=when_busy)
        await run_for_a_minute(api)
        await asyncio.gather(first, second)
        rolled_back = when_busy == "rollback"
        assert (await complete(api, operation["operationId"], success=True))["applied"] != rolled_back
        shown = await api.read(operation["operationJobId"])
        assert shown["status"] == ("cancelled" if rolled_back else "completed")
        assert ("is completed" in (await last_answer(api))[0]) != rolled_back


async def rolled_back_after(api: Api, taken_in: Callable[[str], Awaitable[bool]]) -> list[dict[str, Any]]:
    """Roll a message back once its operation has its outcome; return all jobs."""
    first = await sending(api, "chat-1", "m1", "call order,wait")
    await run_for_a_minute(api)
    (operation,) = (await session(api))["activeOperations"]
    assert await taken_in(operation["operationId"])
    second = await sending(api, "chat-1", "m2", "hello", whenBusy="rollback")
    await run_for_a_minute(api)
    await asyncio.gather(first, second)
    jobs: list[dict[str, Any]] = (await api.request("GET", "/api/agent-jobs")).json()["jobs"]
    return jobs


async def test_nobody_continues_with_an_operation_whose_message_was_rolled_back_meanwhile() -> None:
    """A continuation would be cancelled at once, and yet could end before that; the stream's outcome begins none."""
    async with chats_with(order, wait) as api:

        async def taken_in(operation_id: str) -> bool:
            completing = api.stage.container.operations.completing
            return (
                await completing.complete(operation_id, CompletionBody(success=True), "stream")
            ).signal_result.counts

        jobs = await rolled_back_after(api, taken_in)
        assert sorted(job["status"] for job in jobs) == ["cancelled", "completed", "completed"]


async def test_who_continues_with_an_outcome_already_is_rolled_back_with_its_message() -> None:
    """It has its place in line before the outcome is answered, and asks no model."""
    async with chats_with(order, wait) as api:

        async def taken_in(operation_id: str) -> bool:
            return bool((await api.complete(operation_id, success=True)).json()["applied"])

        jobs = await rolled_back_after(api, taken_in)
        assert sorted(job["status"] for job in jobs) == ["cancelled", "cancelled", "completed", "completed"]
        (continuation,) = [job for job in jobs if job.get("continues")]
        assert continuation["error"]["type"] == "rolled_back"
        assert (await api.read(continuation["id"]))["usage"]["modelCalls"] == 0
        assert "Operation" not in (await last_answer(api))[0]


async def test_who_begins_to_continue_before_that_is_taken_back_takes_itself_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rolled-back job's end frees its session at once, and the message by which it is sent out may come late."""

    async def late(*_: object) -> None:
        """Take nothing back yet."""

    monkeypatch.setattr(TakeBack, "operations_of", late)
    async with chats_with(order, wait) as api:

        async def taken_in(operation_id: str) -> bool:
            return bool((await api.complete(operation_id, success=True)).json()["applied"])

        jobs = await rolled_back_after(api, taken_in)
        (continuation,) = [job for job in jobs if job.get("continues")]
        assert continuation["error"]["type"] == "rolled_back"
        assert (await api.read(continuation["id"]))["usage"]["modelCalls"] == 0
        assert "Operation" not in (await last_answer(api))[0]


async def test_an_operation_that_begins_when_its_job_is_rolled_back_already_takes_itself_back() -> None:
    """The end of the job has looked for it, and has not found it."""
    found = list[tuple[Stage, str]]()

    @tool
    async def order() -> Pending:
        """Order something, when nobody wants it any more."""
        ((stage, job_id),) = found
        job = await stage.container.commands.submit.find(job_id)
        assert job is not None
        await stage.container.commands.cancel(job, "a message", rolls_back=True)
        await stage.run(within_seconds=60)
        return Pending(timeout_seconds=3_600)

    async with chats_with(order) as api:
        requesting = await sending(api, "chat-1", "m1", "call order")
        found.extend((api.stage, job_id) for job_id in api.stage.admission.entries)
        await run_for_a_minute(api)
        await requesting
        jobs = (await api.request("GET", "/api/agent-jobs")).json()["jobs"]
        assert [job["status"] for job in jobs] == ["cancelled"] * 2
