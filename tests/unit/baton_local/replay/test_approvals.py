"""Jobs that waited for a person's approval play back as they were decided."""

from typing import Any

import pytest

from baton import Agent, Call, Limits, Registry, ScriptedModel, ToolContext, ToolError, tool
from baton_events.schema import Completion
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton_local.replay.recorder import difference, recorded

DECISIONS: dict[str, dict[str, Any]] = {
    "approved": {"ok": {"approved": True, "by": "ops"}},
    "edited": {"ok": {"approved": True, "by": "ops", "arguments": {"amount": 3}}},
    "rejected": {"error": {"type": "rejected", "message": "no", "by": "ops"}},
}


def agents() -> Registry:
    """An agent whose payments need approval, and work at the second attempt."""

    @tool(requires_approval=True, retries=1)
    async def pay(amount: int, ctx: ToolContext) -> int:
        """Pay."""
        if ctx.attempt == 1:
            raise ToolError("closed", retryable=True)
        return amount

    both = [Call("pay", {"amount": 5}), Call("pay", {"amount": 6})]
    limits = Limits(wall_seconds=30 * 86_400)
    return Registry([Agent(name="pays", model=ScriptedModel([both, "done"]), tools=[pay], limits=limits)])


@pytest.mark.parametrize("case", [*sorted(DECISIONS), "expired"])
async def test_a_decision_is_sent_again(case: str) -> None:
    """An edited call runs with what was approved; nobody is asked anew."""

    async def decide(stage: Stage, job_id: str) -> None:
        for call in await stage.calls(job_id):
            if call.tool == "tool.approval" and call.status == "waiting" and case in DECISIONS:
                job = (await stage.snapshot(job_id)).job
                await stage.container.commands.signal(job, Completion(call_id=call.id, outcome=DECISIONS[case]))

    document = await recorded(agents(), "pays", decide)
    calls = document["job"]["toolCalls"]
    assert [call["tool"] for call in calls] == ["pay", "pay", "tool.approval", "tool.approval"]
    assert calls[0]["arguments"] == {"amount": 3 if case == "edited" else 5}
    assert calls[0]["status"] == ("completed" if case in ("approved", "edited") else "failed")
    assert difference(document, agents()) == ""
