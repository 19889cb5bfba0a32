"""What follows a job's end, and work that finds no agent: whole outcomes, with what a repetition sends again."""

import logging
from typing import Any, cast

import pytest
from msgspec.structs import replace as changed

from baton import Agent, Call, KeepAll, Registry, ScriptedModel
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, Notify
from baton.engine.state import CallRecord, Job
from baton.engine.step_results import FollowedUp, ModelAnswered, ModelFailed, NotFollowedUp
from baton.engine.transitions import JobStatus
from baton.sdk.agents.runner import RunnerAnswer
from baton.sdk.models.model import ModelAnswer
from baton.sdk.records.redaction import KnownSecrets
from baton.sdk.records.transcript import Failure
from baton.store.records.jobs import Snapshot
from baton.worker.executors.continuing import ContinueSession
from baton.worker.executors.executor import OutcomeDoor
from baton.worker.executors.history import prompt_again
from baton.worker.executors.model_call import runner_turn
from baton.worker.executors.model_work import NotifyOfEnd
from baton.worker.executors.remembering import Conversing
from baton.worker.executors.runner_work import StopProvider
from baton.worker.executors.server_agents import WithServers
from baton_events.errors import PublishError
from baton_events.values.json_value import Unrecordable
from tests.fakes.clock import FakeClock
from tests.unit.baton.worker.conversation.sample_history import history_of

JOB = Job("job_1", "s", "acme", "gone", 0, status=JobStatus.FAILED, notifies="event:order.created:evt_1")
CLAIM = Claim("job_1", "job_1:call:x", "m", "o", 0, 0)
TALKING = History(({"role": "user", "text": "hello", "chat": {}},))


class Outside:
    """The reader, the emitter and the other outcomes of one test."""

    def __init__(self, found: Snapshot | None = None, failure: Exception | None = None) -> None:
        self._found, self._failure = found, failure
        self.sent = list[str]()

    async def job(self, _job_id: str) -> Snapshot | None:
        return self._found

    async def send(self, _letter: object, *, deduplication_id: str) -> None:
        self.sent.append(deduplication_id)
        if self._failure:
            raise self._failure

    async def rolled_back_owner(self, _operation_job_id: str) -> str:
        return ""


async def notified(outside: Any, job: Job = JOB) -> Any:
    rest: Any = None
    return await NotifyOfEnd(outside, outside, FakeClock(), rest, "", rest, rest, rest)(Notify(job), History(), CLAIM)


async def test_an_end_that_is_not_sent_is_sent_again_under_one_name_a_run() -> None:
    unread = NotFollowedUp(Failure("not_read", "the job cannot be read yet", retryable=True))
    assert await notified(Outside()) == unread
    for run in (1, 2):
        job = changed(JOB, run=run)
        outside = Outside(Snapshot(job, {}), PublishError("the queue is away"))
        assert await notified(outside, job) == NotFollowedUp(Failure("not_published", "the queue is away", True))
        assert await notified(outside, job) == await notified(outside, job)
        assert set(outside.sent) == {f"job_1.dead.{run}"}
    assert await notified(Outside(Snapshot(JOB, {}))) == FollowedUp()


async def test_a_session_whose_agent_is_not_known_yet_is_continued_later() -> None:
    outside: Any = Outside()
    continuing = ContinueSession(Registry([]), outside, FakeClock(), outside)
    found = await continuing.answer_for(JOB, CallRecord("job_1-1-0-x", 1, 0, "look", {}), {"status": "completed"})
    assert isinstance(found, NotFollowedUp)
    assert (found.failure.type, found.failure.retryable) == ("unknown_agent", True)


class Abandoning:
    """A runner whose provider stops, or fails to."""

    def __init__(self, failure: Exception | None) -> None:
        self._failure = failure

    async def abandon(self, _recorded: object) -> None:
        if self._failure:
            raise self._failure


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (None, FollowedUp()),
        (ValueError("no such run"), NotFollowedUp(Failure("provider_not_stopped", "no such run"))),
        (TimeoutError(), NotFollowedUp(Failure("provider_not_stopped", "no answer in time", True))),
    ],
)
async def test_a_provider_that_is_not_stopped_in_time_is_stopped_later(failure: Any, outcome: object) -> None:
    agent = Agent("gone", ScriptedModel(["x"]))
    registry = Registry([agent])
    object.__setattr__(agent, "runner", Abandoning(failure))
    assert await StopProvider(registry, 5)(Snapshot(JOB, {}), TALKING.transcript) == outcome
    assert await StopProvider(Registry([]), 5)(Snapshot(JOB, {}), ()) == FollowedUp()


async def test_the_turn_itself_says_that_its_agent_is_gone() -> None:
    failed = ModelFailed(Failure("unknown_agent", "gone"))

    async def turn(effect: object, history: History, claim: Claim) -> ModelFailed:
        assert (effect, history, claim) == (asked, TALKING, CLAIM)
        return failed

    asked, unread = CallModel(JOB, 1, 1), cast("Any", None)
    for registry in (Registry([]), Registry([Agent("gone", ScriptedModel(["x"]))])):
        assert await WithServers(registry, lambda _: turn, None)(asked, TALKING, CLAIM) is failed
    assert await Conversing(turn, Registry([]), unread, 100_000)(asked, TALKING, CLAIM) is failed


@pytest.mark.parametrize(("error", "is_logged"), [(ValueError("odd"), True), (Unrecordable("result", "NaN"), False)])
async def test_what_went_wrong_is_logged_unless_the_outcome_says_it_whole(
    error: Exception, is_logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(*_: object) -> None:
        raise error

    with caplog.at_level(logging.WARNING):
        found = await OutcomeDoor(cast("Any", work), KnownSecrets())(CallModel(JOB, 1, 1), History(), CLAIM)
    assert isinstance(found, ModelFailed)
    assert bool(caplog.records) is is_logged


def test_an_earlier_turn_that_kept_all_is_told_all_again() -> None:
    history = history_of(10, 400)
    assert prompt_again(Agent("a", model="demo", history=KeepAll()), history, ()) == history


async def test_a_call_that_runs_alone_follows_those_before_it_and_precedes_those_after_it() -> None:
    class Asking:
        name = "asks"

        async def turn(self, _recorded: object, _listener: object) -> RunnerAnswer:
            calls = tuple(Call("note", {"n": n}) for n in range(4))
            return RunnerAnswer(ModelAnswer("", calls), alone=(False, False, True, False))

    runner, record = cast("Any", Asking()), cast("Any", None)
    turn = await runner_turn(runner, record, None, 5)
    assert isinstance(turn, ModelAnswered)
    assert [(call.step, call.depends_on, call.on_failure) for call in turn.wanted] == [
        ("call 1", (), "continue"),
        ("call 2", (), "continue"),
        ("call 3", ("call 1", "call 2"), "continue"),
        ("call 4", ("call 3",), "continue"),
    ]
