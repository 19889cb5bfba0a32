"""Memory from one job to the next, over fakes: retrieved before the first turn, stored after the end."""

import pytest

from baton import Agent, Call, Registry, ScriptedModel, recall, remember
from baton.engine.state import Job
from baton.engine.step_results import Submitted
from baton.models.model import ModelAnswer, ModelRequest, UserMessage
from baton.sdk.records import ModelPolicy
from baton_events.errors import MemoryUnavailableError
from tests.fakes import FakeLongTermMemory
from tests.unit.baton.kit.stage import Stage


class Parrot:
    """A model that answers with everything that it was told before the task."""

    name = "parrot"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        found = [message.text for message in request.messages if isinstance(message, UserMessage)]
        return ModelAnswer(" | ".join(found[:-1]) or "The lamp is red.")


NOTES = ScriptedModel([[Call("remember", {"text": "the door is green"})], [Call("recall", {"query": "door"})], "ok"])
REGISTRY = Registry(
    [
        Agent("parrot", Parrot(), memory=True),
        Agent("noter", NOTES, tools=[remember, recall], memory=True),
    ]
)


class Scene:
    def __init__(self) -> None:
        self.index = FakeLongTermMemory()
        self.stage = Stage(registry=REGISTRY, long_term_memory=self.index)

    async def submit(self, job_id: str, text: str, session: str = "session_1", agent: str = "parrot") -> None:
        now_ms = self.stage.clock.now_ms()
        policy = ModelPolicy(reads_history=True)
        job = Job(job_id, session, "acme", agent, now_ms, model=policy, remembers=True)
        submitted = Submitted(job, {"text": text, "data": {}})
        await self.stage.container.commands.submit(submitted.job, submitted.task)

    async def answer(self, job_id: str, text: str, session: str = "session_1", agent: str = "parrot") -> str:
        await self.submit(job_id, text, session, agent)
        await self.stage.run()
        job = (await self.stage.snapshot(job_id)).job
        assert job.result is not None, job.error
        return str(job.result["answer"])


async def test_a_memory_that_stays_away_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.index.down = MemoryUnavailableError("no answer")
    assert await scene.answer("job_1", "Which colour has the lamp?") == "The lamp is red."
    assert await scene.stage.items("job_1") == ()
    assert "ALERT job job_1 is not remembered: memory_unavailable: no answer" in caplog.text


async def test_tools_remember_and_recall_for_the_job() -> None:
    scene = Scene()
    assert await scene.answer("job_1", "Take a note.", agent="noter") == "ok"
    calls = await scene.stage.calls("job_1")
    results = (await scene.stage.snapshot("job_1")).results
    assert results[calls[0].id] == {"ok": {"remembered": True}}
    assert [entry["text"] for entry in results[calls[1].id]["ok"]["entries"]] == ["the door is green"]
    assert sorted(scene.index.entries) == [("acme", "job_1"), ("acme", calls[0].id)]
