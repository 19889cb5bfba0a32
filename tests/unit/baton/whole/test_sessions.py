"""What is sent to a session at work: a job that waits, is refused, or interrupts; or words to the running one."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Literal

import pytest

from baton import Agent, Call, Registry, tool
from baton.engine.all_jobs.job_list import Query
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.sdk.models.model import ModelAnswer, ModelError, ModelMessage, ModelRequest, ToolMessage
from baton.sdk.models.model import UserMessage as User
from baton.server.api.session_line import Sessions, WhenBusy
from baton.worker.commands.backup import BACKED_UP_MS
from baton_events.errors import PublishError, QueueUnreachableError, SessionBusyError, StoreError, UnknownJobError
from baton_events.schema import AgentLoopInit, Submission
from tests.unit.baton.kit.faults import Method, around, fail
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.kit.plan_kit import parts_of
from tests.unit.baton.kit.stage import SETTINGS, Stage

TASK = {"text": "do it", "data": {}}


async def submit(stage: Stage, job_id: str, when_busy: WhenBusy = "queue", session: str = "session_1") -> None:
    """Submit a job, a little later than the one before."""
    stage.clock.ms += 1
    job = stage.job(job_id=job_id, session=session)
    await Sessions(stage.container).submit(job, TASK, when_busy, may_exist=True)


async def busy() -> Stage:
    """A session whose job is at work."""
    stage = Stage()
    await submit(stage, "job_1")
    return stage


async def names(stage: Stage, session: str = "session_1") -> list[str]:
    return [snapshot.job.id for snapshot in await Sessions(stage.container).line("acme", session)]


async def test_a_job_that_is_to_be_alone_is_refused_while_another_one_is_there() -> None:
    """Nothing of it stays: no job, no place in line, no backup message that would bring it."""
    stage = await busy()
    known = len(stage.queue.published)
    with pytest.raises(SessionBusyError, match="session 'session_1' is busy"):
        await submit(stage, "job_2", "reject")
    backup_id, _ = stage.queue.published[known]
    assert backup_id in stage.queue.cancelled
    assert await stage.reader.job("job_2") is None
    assert "job_2" not in stage.admission.entries
    assert [one.job_id for one in (await stage.ports.listing.scan(Query(), "", 9)).found] == ["job_1"]
    await stage.run()
    assert await stage.reader.job("job_2") is None


async def test_a_job_that_is_to_be_alone_is_taken_where_nothing_runs() -> None:
    stage = Stage()
    await submit(stage, "job_1", session="session_2")
    await submit(stage, "job_2", "reject")
    await submit(stage, "job_2", "reject")
    await stage.run()
    assert (await stage.now("job_2")).status is JobStatus.COMPLETED
    await submit(stage, "job_3", "reject")
    assert await names(stage) == ["job_3"]


async def test_a_backup_that_may_come_is_no_refusal() -> None:
    """Whoever is told that a job is refused must not see it run."""
    stage = await busy()
    stage.queue.cancel_failing = [QueueUnreachableError("http://queue.example", "down")]
    with pytest.raises(PublishError):
        await submit(stage, "job_2", "reject")


@pytest.mark.parametrize(("port", "slow_method"), [("admission", "slot_request"), ("queue", "cancel")])
async def test_a_late_call_refuses_nothing(port: str, slow_method: str) -> None:
    """Its backup message may be under way, and carry the job that it has created: what becomes of it is not known."""
    stage = await busy()

    async def slowly(method: Method, *arguments: Any, **named: Any) -> Any:
        stage.clock.ms += BACKED_UP_MS
        return await method(*arguments, **named)

    around(getattr(stage, port), slow_method, slowly)
    with pytest.raises(PublishError, match="is not known"):
        await submit(stage, "job_2", "reject")
    assert bool(stage.queue.cancelled) == (slow_method == "cancel")


async def test_what_was_accepted_and_forgotten_waits_for_its_turn() -> None:
    """Its backup message asks for no session of its own: a failover must not turn an acceptance into a refusal."""
    stage = Stage()
    await submit(stage, "job_1", "reject")
    backup = next(event for event in stage.events() if isinstance(event, AgentLoopInit) and event.payload.command)
    assert isinstance(backup.payload.command, Submission)
    del stage.store.trees["job_1"]
    stage.admission.entries.clear()
    await submit(stage, "job_2")
    await stage.deliver(backup, "m9")
    assert sorted(await names(stage)) == ["job_1", "job_2"]
    await stage.run()
    assert {(await stage.now(name)).status for name in ("job_1", "job_2")} == {JobStatus.COMPLETED}


async def test_a_job_that_interrupts_ends_those_before_it() -> None:
    """The running one and those in line; not those of other sessions, nor those that come after it."""
    stage = await busy()
    await submit(stage, "job_2")
    await submit(stage, "job_3", session="session_2")
    await submit(stage, "job_4", "interrupt")
    await submit(stage, "job_5")
    assert await names(stage) == ["job_4", "job_5"]
    await stage.run()
    ended = [(await stage.now(f"job_{number}")).status for number in range(1, 6)]
    assert ended == [JobStatus.CANCELLED] * 2 + [JobStatus.COMPLETED] * 3
    error = (await stage.now()).error
    assert error is not None
    assert error.message == "cancelled by job job_4, which was sent meanwhile"


async def test_an_interruption_that_comes_again_ends_nothing_that_came_after_it() -> None:
    """The request was repeated; meanwhile somebody sent another."""
    stage = Stage()
    await submit(stage, "job_1", "interrupt")
    first = await stage.now()
    await submit(stage, "job_2")
    await Sessions(stage.container).submit(first, TASK, "interrupt", may_exist=True)
    assert await names(stage) == ["job_1", "job_2"]


async def test_an_interruption_without_a_place_in_line_has_to_come_again() -> None:
    """The call that created it died before the admission heard of it: nobody knows yet who is before it."""
    stage = await busy()
    await submit(stage, "job_2")
    place = stage.admission.entries.pop("job_2")
    with pytest.raises(UnknownJobError, match="job 'job_2' is accepted and is queued within a minute"):
        await submit(stage, "job_2", "interrupt")
    assert await names(stage) == ["job_1"]
    stage.admission.entries["job_2"] = place  # by its backup message
    await submit(stage, "job_2", "interrupt")
    assert await names(stage) == ["job_2"]


async def test_a_job_that_a_read_does_not_show_yet_is_interrupted() -> None:
    """It was accepted just now; the slot table knows it."""
    stage = await busy()

    async def old(jobs: Method, job_ids: Any) -> Any:
        return {name: job for name, job in (await jobs(job_ids)).items() if name != "job_1"}

    around(stage.reader, "jobs", old)
    await submit(stage, "job_2", "interrupt")
    assert (await stage.now()).status is JobStatus.CANCELLED


Continuation = Literal["queue", "inline"]
either_way = pytest.mark.parametrize("continuation", ["queue", "inline"])


class Chat:
    """A session in which one job runs; its model looks in its first turn, and then answers.

    `meanwhile`: by turn, what happens before the model does so.
    """

    def __init__(self, continuation: Continuation = "queue") -> None:
        @tool
        def look() -> str:
            return "seen"

        self.meanwhile: dict[int, Callable[[], Awaitable[Any]]] = {}
        self.model = Listening(self._answer)
        settings = replace(SETTINGS, continuation=continuation)
        self.stage = Stage(settings=settings, registry=Registry([Agent("talks", self.model, tools=[look])]))
        self.sessions = Sessions(self.stage.container)

    async def _answer(self, request: ModelRequest) -> ModelAnswer:
        if (happens := self.meanwhile.pop(request.turn, None)) is not None:
            await happens()
        return ModelAnswer(calls=(Call("look"),)) if request.turn == 1 else ModelAnswer(f"answer {request.turn}")

    def job(self, name: str) -> Job:
        self.stage.clock.ms += 1_000
        return self.stage.job("talks", name, session="chat-1")

    async def submit(self, name: str = "job_1", text: str = "one") -> None:
        await self.sessions.submit(self.job(name), {"text": text, "data": {}, "chat": {}})

    async def say(self, name: str, text: str) -> Job | None:
        """Say something to whatever runs."""
        return await self.sessions.steer(self.job(name), {"text": text, "data": {}, "chat": {}})

    async def shown(self) -> list[str]:
        """What the stream shows of what was said."""
        return [part["data"]["text"] for part in await parts_of(self.stage, "data-message")]


@either_way
async def test_what_is_said_is_told_before_the_next_turn(continuation: Continuation) -> None:
    chat = Chat(continuation)
    await chat.submit()
    chat.meanwhile[1] = lambda: chat.say("m2", "two")
    await chat.stage.run()
    assert [type(message) for message in chat.model.found[1]] == [User, ModelMessage, ToolMessage, User]
    assert chat.model.found[1][-1] == User("two")
    snapshot = await chat.stage.snapshot()
    assert (snapshot.job.result, snapshot.messages) == ({"answer": "answer 2"}, {"m2": ""})
    assert await chat.shown() == ["two"]


@either_way
async def test_a_job_that_is_told_something_in_its_last_turn_goes_on(continuation: Continuation) -> None:
    chat = Chat(continuation)

    async def both() -> None:
        await chat.say("m2", "two")
        await chat.say("m3", "three")

    await chat.submit()
    chat.meanwhile[2] = both
    await chat.stage.run()
    assert chat.model.found[2][-3:] == (ModelMessage("answer 2"), User("two"), User("three"))
    job = await chat.stage.now()
    assert (job.status, job.result) == (JobStatus.COMPLETED, {"answer": "answer 3"})
    roles = [entry["role"] for entry in await chat.stage.reader.transcript("job_1")]
    assert roles == ["user", "model", "model", "user", "user", "model"]


async def test_a_message_that_comes_again_is_told_once() -> None:
    """While its job runs, and after its end; also where the store's answer was lost, and its backup comes too."""
    chat = Chat()
    await chat.submit()
    fail(chat.stage.store, "signal", StoreError("no answer"), applied=True)
    with pytest.raises(StoreError):
        await chat.say("m2", "two")
    told = [await chat.say("m2", "two") for _ in range(2)]
    await chat.stage.run()
    told.append(await chat.say("m2", "two"))
    assert [job.id for job in told if job] == ["job_1"] * 3
    assert [message for message in chat.model.found[-1] if message == User("two")] == [User("two")]
    assert await chat.shown() == ["two"]


async def test_where_nothing_runs_it_is_a_job_of_its_own() -> None:
    chat = Chat()
    assert await chat.say("m1", "one") is None
    await chat.submit()
    await chat.stage.run()
    assert await chat.say("m2", "two") is None
    await chat.submit("m2")
    assert await chat.say("m2", "two") is None


async def test_a_later_job_of_the_session_is_given_it() -> None:
    chat = Chat()
    await chat.submit()
    await chat.say("m2", "two")
    await chat.stage.run()
    await chat.submit("job_3", "three")
    await chat.stage.run()
    told = User('[Its calls:]\n- look {}: completed. Its result: "seen"', note=True)
    assert chat.model.found[-1][:3] == (User("one\n\ntwo"), told, ModelMessage("answer 2"))


async def test_who_fails_tells_nothing_more() -> None:
    """What was said stays with the job; a retry tells it."""
    chat = Chat()

    async def doomed() -> None:
        await chat.say("m2", "two")
        raise ModelError("no", retryable=False)

    await chat.submit()
    chat.meanwhile[2] = doomed
    await chat.stage.run()
    snapshot = await chat.stage.snapshot()
    assert (snapshot.job.status, bool(snapshot.messages["m2"])) == (JobStatus.FAILED, True)
    await chat.stage.container.commands.retry(snapshot.job, "me", from_start=False)
    await chat.stage.run()
    assert chat.model.found[-1][-1] == User("two")
