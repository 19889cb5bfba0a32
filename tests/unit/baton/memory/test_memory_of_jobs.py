"""Memory from one job to the next, over fakes: retrieved before the first turn, stored after the end."""

import pytest
from msgspec.structs import replace

from baton import Agent, Call, Registry, ScriptedModel, recall, remember
from baton_events.errors import MemoryUnavailableError
from tests.fakes import FakeLongTermMemory
from tests.unit.baton.kit.stage import Stage

NOTES = ScriptedModel([[Call("remember", {"text": "the door is green"})], [Call("recall", {"query": "door"})], "ok"])


async def remembered(index: FakeLongTermMemory, agent: str) -> Stage:
    """A job of that agent, run to its end and remembered."""
    agents = [
        Agent("answers", ScriptedModel(["It is red."]), memory=True),
        Agent("noter", NOTES, tools=[remember, recall], memory=True),
    ]
    stage = Stage(registry=Registry(agents), long_term_memory=index)
    job = replace(stage.job(agent), remembers=True)
    await stage.container.commands.submit(job, {"text": "Which colour has the lamp?", "data": {}})
    await stage.run()
    assert (await stage.now()).status == "completed"
    return stage


async def test_a_memory_that_stays_away_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    index = FakeLongTermMemory()
    index.down = MemoryUnavailableError("no answer")
    stage = await remembered(index, "answers")
    assert await stage.items() == ()
    assert "ALERT job job_1 is not remembered: memory_unavailable: no answer" in caplog.text


async def test_tools_remember_and_recall_for_the_job() -> None:
    index = FakeLongTermMemory()
    snapshot = await (await remembered(index, "noter")).snapshot()
    note, recalled = (call.id for call in snapshot.calls)
    assert snapshot.results[note] == {"ok": {"remembered": True}}
    assert [entry["text"] for entry in snapshot.results[recalled]["ok"]["entries"]] == ["the door is green"]
    assert sorted(index.entries) == [("acme", "job_1"), ("acme", note)]
