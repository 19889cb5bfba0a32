"""What a job is told of memory in its first turn, and what becomes an entry of it at its end."""

import json
from typing import Any

import pytest

from baton import Agent, Memory, Registry, ScriptedModel
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, Remember
from baton.engine.step_results import FollowedUp, ModelAnswered, ModelFailed, NotFollowedUp, StepResult
from baton.sdk.memory.entries import NOTE_LIMIT_CHARS, question_of
from baton.sdk.memory.keeper import MemoryKeeper
from baton.sdk.models.model import ModelError, UserMessage
from baton.worker.executors.memory_entries import ANSWER_LIMIT_CHARS, QUESTION_LIMIT_CHARS, exchange_of, note_of
from baton.worker.executors.model_turn import ModelTurn, messages
from baton.worker.executors.remembering import Recalling, RememberJob
from baton_events.errors import MemoryUnavailableError, StoreError
from tests.fakes import FakeLongTermMemory
from tests.fakes.stored import FakeSessionMemory
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.sdk.memory.sample_entries import JOB, QUESTION, SUBMITTED_MS, TASK, a_job, an_entry

CLAIM = Claim("job_1", "k", "m", "o", 0, 0)
REQUESTED = History(({**TASK, "role": "user", "v": 1},))


class Scene:
    """One agent with a session that has an entry, unless the store is down."""

    def __init__(self, memory: Memory | bool, model: Listening | None = None) -> None:
        self.model, self.session = model or Listening(), FakeSessionMemory()
        registry = Registry([Agent("keeper", self.model, memory=memory)])
        turn = ModelTurn(registry, 5, None)
        self.executor = Recalling(turn, registry, MemoryKeeper(self.session, None), 100_000)

    async def turn(self, number: int = 1, history: History = REQUESTED, agent: str = "keeper") -> StepResult:
        if self.session.connection.down is None:
            await self.session.add("acme", an_entry())
        step_result = await self.executor(CallModel(a_job(agent=agent), number, 1), history, CLAIM)
        assert step_result is not None
        return step_result


def roles(step_result: StepResult) -> list[str]:
    assert isinstance(step_result, ModelAnswered | ModelFailed)
    return [entry["role"] for entry in step_result.extra_usage.entries]


async def test_a_failed_model_call_keeps_what_was_retrieved() -> None:
    """The next attempt finds it in the transcript."""
    busy = Listening(ScriptedModel([ModelError("busy", retryable=True)]).answer)
    step_result = await Scene(memory=True, model=busy).turn()
    assert isinstance(step_result, ModelFailed)
    assert roles(step_result) == ["memory"]


async def test_the_first_turn_is_given_what_is_remembered_before_the_task_and_later_ones_the_same() -> None:
    """What was recorded is sent again and not retrieved again."""
    scene = Scene(memory=True)
    step_result = await scene.turn()
    assert isinstance(step_result, ModelAnswered)
    assert roles(step_result) == ["memory"]
    [(remembered, task)] = scene.model.found
    assert isinstance(remembered, UserMessage)
    assert "the lamp is red" in remembered.text
    assert task == UserMessage(QUESTION)
    recorded = json.loads(json.dumps(step_result.extra_usage.entries[0]))
    scene.session.connection.down = StoreError("nobody may ask")
    for number in (1, 2):
        history = History((*REQUESTED.transcript, recorded))
        assert roles(await scene.turn(number, history)) == []
    assert scene.model.found[1] == scene.model.found[2] == scene.model.found[0]


async def test_an_agent_without_memory_sends_nothing() -> None:
    for memory, number, agent in ((False, 1, "keeper"), (True, 2, "keeper"), (True, 1, "unknown")):
        scene = Scene(memory=memory)
        scene.session.connection.down = StoreError("nobody may ask")
        assert roles(await scene.turn(number, agent=agent)) == []


async def test_an_outage_of_memory_fails_nothing() -> None:
    scene = Scene(memory=True)
    scene.session.connection.down = StoreError("no answer")
    step_result = await scene.turn()
    assert isinstance(step_result, ModelAnswered)
    assert step_result.extra_usage.entries[0]["warnings"] == ["session memory did not answer"]
    assert scene.model.found == [(UserMessage(QUESTION),)]


async def test_a_required_memory_that_is_away_is_waited_for() -> None:
    scene = Scene(Memory(required=True))
    scene.session.connection.down = StoreError("no answer")
    step_result = await scene.turn()
    assert isinstance(step_result, ModelFailed)
    assert (step_result.failure.type, step_result.failure.retryable) == ("memory_unavailable", True)
    assert "agent 'keeper' requires its memory" in step_result.failure.message
    assert scene.model.found == []


@pytest.mark.parametrize("entries", [[], None])
def test_an_entry_without_memories_reports_the_model_nothing(entries: list[object] | None) -> None:
    empty = {"role": "memory", "v": 1, "warnings": [], **({} if entries is None else {"entries": entries})}
    assert messages(History((*REQUESTED.transcript, empty))) == (UserMessage(QUESTION),)


@pytest.mark.parametrize("result", [None, {}, {"answer": " "}, {"answer": 3}, {"answer": "half", "cut": True}])
def test_a_job_without_an_answer_in_words_becomes_nothing(result: dict[str, Any] | None) -> None:
    assert exchange_of(a_job(result=result), TASK) is None


@pytest.mark.parametrize(
    ("task", "question"),
    [
        ({"text": " a ", "data": {"b": 1}}, "a"),
        ({"text": "", "data": {"b": 1}}, '{"b":1}'),
        ({"text": "", "data": {}}, ""),
        ({}, ""),
    ],
)
def test_the_question_is_the_task(task: dict[str, Any], question: str) -> None:
    assert question_of(task) == question
    assert (exchange_of(JOB, task) is None) == (not question)


def test_long_texts_are_cut_and_say_so() -> None:
    entry = exchange_of(a_job(result={"answer": "b" * 9000}), {"text": "a" * 9000})
    assert entry is not None
    question, answered = entry.text.split("\nAnswered: ")
    assert (len(question), len(answered)) == (len("Asked: ") + QUESTION_LIMIT_CHARS, ANSWER_LIMIT_CHARS)
    assert question.endswith("a [cut: 9000 characters]")
    assert len(note_of(JOB, "call_1", "c" * 9000).text) == NOTE_LIMIT_CHARS
    note = note_of(JOB, "call_1", " the door is green ")
    assert (note.id, note.kind, note.text, note.job_id) == ("call_1", "note", "the door is green", "job_1")


class Ended:
    """A completed job, and both memories."""

    def __init__(self) -> None:
        self.session, self.index = FakeSessionMemory(), FakeLongTermMemory()
        self.keeper = MemoryKeeper(self.session, self.index)
        self.executor = RememberJob(self.keeper, 5, lambda text: text.replace("is red", "is ***"))

    async def remembered(self, answer: str = "It is red.") -> StepResult:
        return await self.executor(Remember(a_job(result={"answer": answer})), REQUESTED, CLAIM)


async def test_question_and_answer_are_one_entry_however_often_they_are_stored() -> None:
    ended = Ended()
    for _ in range(2):
        assert await ended.remembered() == FollowedUp()
    [kept] = await ended.keeper.recent("acme", "session_1")
    assert kept.text == "Asked: Which colour has the lamp?\nAnswered: It is ***."
    assert ended.index.entries == {("acme", "job_1"): kept}


async def test_nothing_is_stored_where_there_is_nothing_to_remember() -> None:
    ended = Ended()
    assert await ended.remembered("") == FollowedUp()
    await ended.keeper.forget("acme", "session_1", SUBMITTED_MS)
    assert await ended.remembered() == FollowedUp()
    assert (await ended.session.recent("acme", "session_1"), ended.index.entries) == ((), {})


async def test_an_index_that_is_away_is_asked_later_and_a_store_by_the_queue() -> None:
    """The commit would not work either."""
    ended = Ended()
    ended.index.down = MemoryUnavailableError("no answer from the vector index")
    found = await ended.remembered()
    assert isinstance(found, NotFollowedUp)
    assert (found.failure.type, found.failure.retryable) == ("memory_unavailable", True)
    ended.index.down, ended.session.connection.down = None, StoreError("no answer")
    with pytest.raises(StoreError):
        await ended.remembered()
