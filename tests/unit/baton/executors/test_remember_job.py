"""An ended job is stored in memory."""

import pytest

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import Remember
from baton.engine.step_results import FollowedUp, NotFollowedUp, StepResult
from baton.executors.remembering import RememberJob
from baton.memory.keeper import MemoryKeeper
from baton_events.errors import MemoryUnavailableError, StoreError
from tests.fakes import FakeLongTermMemory, FakeSessionMemory
from tests.unit.baton.memory.sample_entries import SUBMITTED_MS, TASK, a_job

CLAIM = Claim("job_1", "k", "m", "o", 0, 0)
HISTORY = History(({**TASK, "role": "user", "v": 1},))


class Scene:
    def __init__(self) -> None:
        self.session, self.index = FakeSessionMemory(), FakeLongTermMemory()
        self.keeper = MemoryKeeper(self.session, self.index)
        self.executor = RememberJob(self.keeper, 5, lambda text: text.replace("is red", "is ***"))

    async def perform(self, answer: str = "It is red.") -> StepResult:
        return await self.executor(Remember(a_job(result={"answer": answer})), HISTORY, CLAIM)


async def test_question_and_answer_are_one_entry_however_often_they_are_stored() -> None:
    scene = Scene()
    for _ in range(2):
        assert await scene.perform() == FollowedUp()
    [kept] = await scene.keeper.recent("acme", "session_1")
    assert kept.text == "Asked: Which colour has the lamp?\nAnswered: It is ***."
    assert scene.index.entries == {("acme", "job_1"): kept}


async def test_nothing_is_stored_where_there_is_nothing_to_remember() -> None:
    """No answer, or a session that was forgotten since."""
    scene = Scene()
    assert await scene.perform("") == FollowedUp()
    await scene.keeper.forget("acme", "session_1", SUBMITTED_MS)
    assert await scene.perform() == FollowedUp()
    assert (scene.session.entries, scene.index.entries) == ({}, {})


async def test_an_index_that_is_away_is_reported() -> None:
    scene = Scene()
    scene.index.down = MemoryUnavailableError("no answer from the vector index")
    step_result = await scene.perform()
    assert isinstance(step_result, NotFollowedUp)
    assert (step_result.failure.type, step_result.failure.retryable) == ("memory_unavailable", True)


async def test_an_outage_of_the_store_is_the_queues_to_repeat() -> None:
    """The commit would not work either."""
    scene = Scene()
    scene.session.down = StoreError("no answer")
    with pytest.raises(StoreError):
        await scene.perform()
