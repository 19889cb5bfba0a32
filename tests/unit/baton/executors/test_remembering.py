"""A job's first turn with what is remembered."""

import json

import pytest

from baton import Agent, Memory, Registry, ScriptedModel
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel
from baton.engine.step_results import ModelAnswered, ModelFailed, StepResult
from baton.executors.model_turn import ModelTurn, messages
from baton.executors.remembering import Recalling
from baton.memory.keeper import MemoryKeeper
from baton.models.model import ModelError, UserMessage
from baton_events.errors import StoreError
from tests.fakes import FakeSessionMemory
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.memory.sample_entries import QUESTION, TASK, a_job, an_entry

CLAIM = Claim("job_1", "k", "m", "o", 0, 0)
REQUESTED = History(({**TASK, "role": "user", "v": 1},))


class Scene:
    """One agent with a session that has an entry, unless the store is down."""

    def __init__(self, memory: Memory | bool, model: Listening | None = None) -> None:
        self.model, self.session = model or Listening(), FakeSessionMemory()
        registry = Registry([Agent("keeper", self.model, memory=memory)])
        turn = ModelTurn(registry, 5, None)
        self.executor = Recalling(turn, registry, MemoryKeeper(self.session, None))

    async def turn(self, number: int = 1, history: History = REQUESTED, agent: str = "keeper") -> StepResult:
        if self.session.down is None:
            await self.session.add("acme", an_entry())
        step_result = await self.executor(CallModel(a_job(agent=agent), number, 1), history, CLAIM)
        assert step_result is not None
        return step_result


def roles(step_result: StepResult) -> list[str]:
    assert isinstance(step_result, ModelAnswered | ModelFailed)
    return [entry["role"] for entry in step_result.extra_usage.entries]


async def test_the_first_turn_is_given_what_is_remembered_before_the_task() -> None:
    scene = Scene(memory=True)
    step_result = await scene.turn()
    assert roles(step_result) == ["memory"]
    [(remembered, task)] = scene.model.found
    assert isinstance(remembered, UserMessage)
    assert "the lamp is red" in remembered.text
    assert task == UserMessage(QUESTION)


async def test_a_failed_model_call_keeps_what_was_retrieved() -> None:
    """The next attempt finds it in the transcript."""
    busy = Listening(ScriptedModel([ModelError("busy", retryable=True)]).answer)
    step_result = await Scene(memory=True, model=busy).turn()
    assert isinstance(step_result, ModelFailed)
    assert roles(step_result) == ["memory"]


async def test_what_was_recorded_is_sent_again_and_not_retrieved_again() -> None:
    scene = Scene(memory=True)
    step_result = await scene.turn()
    assert isinstance(step_result, ModelAnswered)
    recorded = json.loads(json.dumps(step_result.extra_usage.entries[0]))
    scene.session.down = StoreError("nobody may ask")
    for number in (1, 2):
        history = History((*REQUESTED.transcript, recorded))
        assert roles(await scene.turn(number, history)) == []
    assert scene.model.found[1] == scene.model.found[2] == scene.model.found[0]


async def test_an_agent_without_memory_sends_nothing() -> None:
    for memory, number, agent in ((False, 1, "keeper"), (True, 2, "keeper"), (True, 1, "unknown")):
        scene = Scene(memory=memory)
        scene.session.down = StoreError("nobody may ask")
        assert roles(await scene.turn(number, agent=agent)) == []


async def test_an_outage_of_memory_fails_nothing() -> None:
    scene = Scene(memory=True)
    scene.session.down = StoreError("no answer")
    step_result = await scene.turn()
    assert isinstance(step_result, ModelAnswered)
    assert step_result.extra_usage.entries[0]["warnings"] == ["session memory did not answer"]
    assert scene.model.found == [(UserMessage(QUESTION),)]


async def test_a_required_memory_that_is_away_is_waited_for() -> None:
    scene = Scene(Memory(required=True))
    scene.session.down = StoreError("no answer")
    step_result = await scene.turn()
    assert isinstance(step_result, ModelFailed)
    assert (step_result.failure.type, step_result.failure.retryable) == ("memory_unavailable", True)
    assert "agent 'keeper' requires its memory" in step_result.failure.message
    assert scene.model.found == []


@pytest.mark.parametrize("entries", [[], None])
def test_an_entry_without_memories_reports_the_model_nothing(entries: list[object] | None) -> None:
    empty = {"role": "memory", "v": 1, "warnings": [], **({} if entries is None else {"entries": entries})}
    assert messages(History((*REQUESTED.transcript, empty))) == (UserMessage(QUESTION),)
