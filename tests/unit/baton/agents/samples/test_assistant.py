"""The sample assistant: what it was told in one job, it knows in later ones."""

from typing import Any

from baton.agents.samples.registry import registry
from baton.engine.step_results import Submitted
from baton.engine.transitions import JobStatus
from tests.fakes import FakeLongTermMemory
from tests.unit.baton.kit.stage import Stage

GIVEN = "Remember that the lens on Gull Rock was cleaned by Ann Ward on 3 May."
REQUESTED = "Who cleaned the lens on Gull Rock?"
FACT = "the lens on Gull Rock was cleaned by Ann Ward on 3 May."


async def request(stage: Stage, job_id: str, question: str, session: str) -> dict[str, Any]:
    submitted = Submitted(stage.job("assistant", job_id, session=session), {"text": question, "data": {}})
    await stage.container.commands.submit(submitted.job, submitted.task)
    await stage.run()
    snapshot = await stage.snapshot(job_id)
    assert snapshot.job.status is JobStatus.COMPLETED, snapshot.job.error
    return snapshot.job.result or {}


async def test_what_one_job_learns_another_of_the_session_knows() -> None:
    stage = Stage(registry=registry, long_term_memory=FakeLongTermMemory())
    assert await request(stage, "job_1", GIVEN, "monday") == {"answer": f"I will remember: {FACT}"}
    answer = (await request(stage, "job_2", REQUESTED, "monday"))["answer"]
    assert FACT in answer
    assert "[this conversation, " in answer


async def test_a_job_of_another_session_knows_it_too() -> None:
    """It says that it was in another conversation; the question itself is never given as its answer."""
    stage = Stage(registry=registry, long_term_memory=FakeLongTermMemory())
    await request(stage, "job_1", GIVEN, "monday")
    await request(stage, "job_2", REQUESTED, "monday")
    answer = (await request(stage, "job_3", REQUESTED, "tuesday"))["answer"]
    assert FACT in answer
    assert "[another conversation, " in answer
    assert REQUESTED not in answer
    assert answer.count(FACT) == 1


async def test_without_an_index_another_session_does_not_know_it() -> None:
    stage = Stage(registry=registry)
    answer = (await request(stage, "job_1", GIVEN, "monday"))["answer"]
    assert "in this conversation only" in answer
    answer = (await request(stage, "job_2", REQUESTED, "tuesday"))["answer"]
    assert answer == "I remember nothing about clean, lens, gull, rock."
    assert [call.tool for call in await stage.calls("job_2")] == ["recall"]
