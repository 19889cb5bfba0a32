"""A step of a plan whose tool needs approval: asked about when the steps before it are over, with what they gave."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.unit.baton.api.client import Api, api_of, with_keys
from tests.unit.baton.kit.approval_kit import Kit, decide, pending, requested, run_for_an_hour
from tests.unit.baton.kit.stage import Stage


@asynccontextmanager
async def planned(kit: Kit, **plan: Any) -> AsyncIterator[Api]:
    async with api_of(Stage(settings=with_keys(), registry=kit.registry(**plan))) as made:
        yield made


async def steps(api: Api, job_id: str) -> dict[str, str]:
    return {call["step"]: call["status"] for call in (await api.read(job_id))["toolCalls"]}


@pytest.mark.parametrize(
    ("on_failure", "status", "note"),
    [("fail", "failed", "cancelled"), ("skip", "completed", "cancelled"), ("continue", "completed", "completed")],
)
async def test_a_rejected_step_is_a_failed_one(on_failure: str, status: str, note: str) -> None:
    kit = Kit()
    async with planned(kit, on_failure=on_failure) as api:
        job_id, checkpoint = await requested(api, "plan")
        await decide(api, checkpoint, "DELETE", reason="too dear")
        await api.stage.run()
        job = await api.read(job_id)
        assert (job["status"], await steps(api, job_id)) == (
            status,
            {"price": "completed", "pay": "failed", "note": note},
        )
        assert not kit.ran
        if on_failure == "fail":
            assert job["error"] == {"type": "step_failed", "message": "step 'pay' failed: too dear"}
        if on_failure == "continue":
            error = {"error": {"type": "rejected", "message": "too dear"}}
            assert job["result"]["output"] == {"noted": error}


async def test_arguments_that_do_not_fit_are_nobodys_to_decide() -> None:
    """What a step takes from another one is checked before a person is asked."""
    kit = Kit()
    async with planned(kit) as api:
        kit.odd_price = True
        job_id = (await api.submitted(jobType="plan"))["id"]
        await run_for_an_hour(api)
        job = await api.read(job_id)
        assert (job["status"], await pending(api, job_id), kit.ran) == ("failed", [], [])
        assert "amount" in job["error"]["message"]
