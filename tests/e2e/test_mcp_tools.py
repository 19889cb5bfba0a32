"""A tool of an MCP server, on the real local stack: its task and its question outlive kills of the app."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.dev_stack import DevStack, StackMaker, wait_for
from tests.unit.baton.sdk.mcp.served import serving
from tests.unit.baton.sdk.mcp.working import asked, bakery

pytestmark = [pytest.mark.e2e, pytest.mark.long]
CRISP = asked("Crisp?", {"crisp": {"type": "boolean"}})


async def until(holds: Callable[[], object], what: str) -> None:
    """Wait for it, while the server answers."""
    await asyncio.to_thread(wait_for, holds, what)


async def killed(stack: DevStack) -> None:
    await asyncio.to_thread(stack.wait_until_back, "app", stack.kill("app"))


async def test_a_task_and_its_question_outlive_kills(new_stack: StackMaker) -> None:
    """One task is begun, its question is asked once and answered once, and its result is the call's."""
    mcp, tasks = bakery()
    tasks.interval_ms = 500
    async with serving(mcp) as served:
        stack = new_stack("bakery_agents", WORK_TIMEOUT_SECONDS="5", BAKERY_URL=served.url)
        await asyncio.to_thread(stack.start)
        job_id = await asyncio.to_thread(stack.submit, "baker", "Bake.")

        def checkpoints() -> list[Any]:
            return list(stack.request("GET", f"/api/agent-jobs/{job_id}/checkpoints")["checkpoints"])

        await until(lambda: tasks.looks > 1, "the second look")
        await killed(stack)
        tasks.asks = {"q1": CRISP}
        await until(checkpoints, "the question")
        [question] = await asyncio.to_thread(checkpoints)
        await killed(stack)
        answer, path = {"arguments": {"crisp": True}}, f"/api/admin/agent-checkpoints/{question['id']}"
        await asyncio.to_thread(stack.request, "POST", path, "admin_key", json=answer)
        await until(lambda: tasks.answered, "the answer")
        await killed(stack)
        tasks.ends_with("a loaf")
        [call] = (await asyncio.to_thread(stack.completed, job_id))["toolCalls"]
        listed = await asyncio.to_thread(checkpoints)
        await asyncio.to_thread(stack.end)
    assert "result" in call, call["error"]
    assert (call["result"], call["attempts"], len(listed), tasks.baked) == ("a loaf", 1, 1, 1)
    assert {tuple(answers) for answers in tasks.answered} == {("q1",)}
