"""A tool of an MCP server, on the real local stack: its task and its question outlive kills of the app."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import stacks
from tests.e2e.dev_stack import QUICK_RECOVERY, DevStack, wait_for
from tests.unit.baton.mcp.served import serving
from tests.unit.baton.mcp.working import asked, bakery

pytestmark = pytest.mark.e2e
CRISP = asked("Crisp?", {"crisp": {"type": "boolean"}})


async def until(holds: Callable[[], object], what: str) -> None:
    """Wait for it, while the server answers."""
    await asyncio.to_thread(wait_for, holds, what)


async def killed(stack: DevStack) -> None:
    await asyncio.to_thread(stack.wait_until_back, "app", stack.kill("app"))


async def test_a_task_and_its_question_outlive_kills(tmp_path: Path) -> None:
    """One task is begun, its question is asked once and answered once, and its result is the call's."""
    mcp, tasks = bakery()
    tasks.interval_ms = 500
    async with serving(mcp) as served:
        with stacks(tmp_path) as make:
            stack = make(None, ("--port", "0", "--app", "tests.e2e.bakery_agents:registry"))
            stack.working_folder = Path(__file__).parents[2]
            stack.environment = {**QUICK_RECOVERY, "WORK_TIMEOUT_SECONDS": "5", "BAKERY_URL": served.url}
            await asyncio.to_thread(stack.start)
            body = {"jobType": "baker", "taskDescription": "Bake."}
            job_id = (await asyncio.to_thread(stack.request, "POST", "/api/agent-jobs", json=body))["id"]
            job = f"/api/agent-jobs/{job_id}"
            await until(lambda: tasks.looks > 1, "the second look")
            await killed(stack)
            tasks.asks = {"q1": CRISP}
            await until(lambda: stack.request("GET", f"{job}/checkpoints")["checkpoints"], "the question")
            [question] = (await asyncio.to_thread(stack.request, "GET", f"{job}/checkpoints"))["checkpoints"]
            await killed(stack)
            answer = {"json": {"arguments": {"crisp": True}}}
            path = f"/api/admin/agent-checkpoints/{question['id']}"
            await asyncio.to_thread(stack.request, "POST", path, "admin_key", **answer)
            await until(lambda: tasks.answered, "the answer")
            await killed(stack)
            tasks.ends_with("a loaf")
            await until(lambda: stack.request("GET", job)["status"] == "completed", "the end")
            [call] = (await asyncio.to_thread(stack.request, "GET", job))["toolCalls"]
            listed = (await asyncio.to_thread(stack.request, "GET", f"{job}/checkpoints"))["checkpoints"]
    assert "result" in call, call["error"]
    assert (call["result"], call["attempts"], len(listed), tasks.baked) == ("a loaf", 1, 1, 1)
    assert {tuple(answers) for answers in tasks.answered} == {("q1",)}
