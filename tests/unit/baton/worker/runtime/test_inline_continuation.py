"""Going on in place, by the same rules as if it had been published; what a COMMIT claims for it; who was overtaken."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from baton import Agent, Call, Pending, Registry, ScriptedModel, tool
from baton.engine.all_jobs.slots import STALLED_AFTER_MS
from baton.engine.commit.answers import Claim
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind
from baton.sdk.models.model import ModelAnswer, ModelRequest
from baton.store.transport.meter import Meter, metered
from baton.worker.runtime import claims, pipeline
from baton.worker.runtime.policy import LEASE_MARGIN_MS, LEASE_MS, RENEW_SECONDS
from baton_events.errors import StoreError
from baton_events.schema import Event
from tests.unit.baton.kit.faults import Method, around, fail
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.kit.stage import SETTINGS, Stage

INLINE = replace(SETTINGS, continuation="inline")


def kinds(stage: Stage) -> list[str]:
    return [event.type for event in stage.events()]


@pytest.mark.parametrize("losses", [0, 1])
async def test_in_place_a_job_takes_two_messages(losses: int) -> None:
    """The backup message and the first event, also where an answer is lost: its claims are requested once more.

    They are held by this invocation: nobody else would get them for minutes.
    """
    stage = Stage(settings=INLINE)
    await stage.submit("adds")
    fail(stage.store, "commit", StoreError("no answer"), losses, applied=True)
    await stage.run()
    assert (await stage.snapshot()).job.result == {"answer": "3 and 7"}
    assert stage.step_result.runs == ["add 1 2", "add 3 4"]
    assert kinds(stage) == ["agent.loop.init", "agent.loop.init"]


@pytest.mark.parametrize("whose", ["tool", "agent"])
async def test_what_is_isolated_has_an_invocation_of_its_own(whose: str) -> None:
    """A tool by itself, or all of an agent. Taking in a result is no work, and goes with its run."""

    @tool(retries=0, isolated=whose == "tool")
    async def look() -> None:
        pass

    agent = Agent("looks", model=ScriptedModel([[Call("look")], "seen"]), tools=[look])
    stage = Stage(settings=INLINE, registry=Registry([agent]))
    job = structs.replace(stage.job("looks"), isolated=whose == "agent")
    await stage.container.commands.submit(job, {"text": "look", "data": {}})
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED
    assert kinds(stage) == ["agent.loop.init", "agent.loop.init", "agent.tool.call", "agent.loop.init"]


async def test_one_that_cannot_be_recorded_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """They finish and are recorded; then the message is not acknowledged, and the rest is done again."""
    monkeypatch.setattr(pipeline, "PAUSES_SECONDS", (0.0, 0.0))
    stage, refuses = Stage(settings=INLINE), [True]

    async def refusing(method: Method, *arguments: Any) -> Any:
        changes = arguments[1]
        if refuses and changes.used and changes.calls[0].position == 0:
            raise StoreError("down")
        return await method(*arguments)

    around(stage.store, "commit", refusing)
    first = await stage.submit("adds")
    with pytest.raises(StoreError):
        await stage.deliver(first, "m-turn")
    assert sorted(stage.step_result.runs) == ["add 1 2", "add 3 4"]
    assert [item.position for item in await stage.items() if item.kind is ItemKind.CALL] == [0]
    refuses.clear()
    await stage.deliver(first, "m-turn", retried=1)
    await stage.run()
    assert sorted(stage.step_result.runs) == ["add 1 2", "add 1 2", "add 3 4"]
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED


SOON_MS = round(1000 * RENEW_SECONDS)


async def slow_stage(slow_ms: int, meanwhile: Callable[[], Awaitable[object]] | None = None) -> Stage:
    """A job in place, with a store whose first COMMIT is answered late; `meanwhile`: what happens until then."""
    stage = Stage(settings=replace(SETTINGS, continuation="inline"))
    left = [slow_ms]

    async def slowly(method: Method, *arguments: Any) -> Any:
        committed = await method(*arguments)
        if left:
            stage.clock.ms += left.pop()
            await meanwhile() if meanwhile else None
        return committed

    around(stage.store, "commit", slowly)
    await stage.submit("adds")
    return stage


def calls(stage: Stage) -> list[Any]:
    return [item for item in stage.store.tree("job_1").items.values() if item.kind is ItemKind.CALL]


@pytest.mark.parametrize(("slow_ms", "lease_ms"), [(SOON_MS, LEASE_MS - SOON_MS), (SOON_MS + 1, LEASE_MS)])
async def test_a_lease_that_is_partly_over_is_prolonged_before_the_work(slow_ms: int, lease_ms: int) -> None:
    """After the time after which any claim is prolonged; what is fresh costs no request."""
    stage, left_ms = await slow_stage(slow_ms), set[int]()
    stage.step_result.while_running = lambda: left_ms.update(i.lease_until_ms - stage.clock.ms for i in calls(stage))
    await stage.deliver(stage.events()[-1], "m-turn")
    assert left_ms == {lease_ms}


async def test_what_a_sweep_replays_meanwhile_stays_with_the_sweep_s_message() -> None:
    """The turn's message may be over by then, and would bring nothing on if this process died."""

    async def swept() -> None:
        now_ms, entries = stage.clock.ms, stage.admission.entries
        await stage.store.reconcile("job_1", "m-sweep", now_ms, STALLED_AFTER_MS, entries)

    stage, relay_ids = await slow_stage(STALLED_AFTER_MS + LEASE_MS, swept), set[str]()
    stage.step_result.while_running = lambda: relay_ids.update(item.relay_id for item in calls(stage))
    await stage.deliver(stage.events()[-1], "m-turn")
    assert (stage.step_result.runs, relay_ids) == (["add 1 2", "add 3 4"], {"m-sweep"})


async def test_what_somebody_else_has_taken_over_meanwhile_is_left_to_them() -> None:
    async def taken_over() -> None:
        now_ms = stage.clock.ms
        for item in calls(stage):
            claim = Claim("job_1", item.key, "m-other", "other", now_ms, now_ms + LEASE_MS, item.call_id)
            await stage.store.claim(claim)

    stage = await slow_stage(2 * LEASE_MS, taken_over)
    outcome = await stage.deliver(stage.events()[-1], "m-turn")
    assert (outcome.label, stage.step_result.runs) == ("done", [])
    assert {item.owner for item in calls(stage)} == {"other"}


@pytest.mark.parametrize("request_of", ["commit", "claim"])
@pytest.mark.parametrize(("pause_seconds", "requested"), [(0.024, 2), (0.026, 1)])
async def test_it_is_not_repeated_when_its_claim_would_be_over(
    monkeypatch: pytest.MonkeyPatch, pause_seconds: float, requested: int, request_of: str
) -> None:
    """The pause before it counts, too."""
    monkeypatch.setattr(pipeline, "PAUSES_SECONDS", (pause_seconds, pause_seconds))
    monkeypatch.setattr(claims, "BEGIN_PAUSES_SECONDS", (pause_seconds, pause_seconds))
    stage, began = Stage(), list[Any]()
    first = await stage.submit("answers")

    async def slowly(_method: Method, *arguments: Any) -> Any:
        began.append(arguments)
        stage.clock.ms += LEASE_MARGIN_MS - 25
        raise StoreError("no answer")

    around(stage.store, request_of, slowly)
    with pytest.raises(StoreError):
        await stage.deliver(first, "m-turn", retried=1)
    assert len(began) == requested


async def test_a_job_s_ledger_has_its_message_once() -> None:
    """However often it is delivered: another delivery is no other message."""
    billed = list[dict[str, int]]()
    for retried in (0, 1):
        stage = Stage()
        first = await stage.submit("answers")
        with metered(Meter(stage.clock, 0)):
            await stage.deliver(first, "m-turn", retried=retried)
        event = next(part for part in stage.store.tree("job_1").parts["job_1"] if '"used":{' in part)
        billed.append(json.loads(event)["data"]["used"])
    assert [used.get("messages", 0) for used in billed] == [1, 0]
    assert billed[0]["redisRequests"] == billed[1]["redisRequests"]


Happens = Callable[[Stage], None]


def added_anew(stage: Stage) -> None:
    """A failover has forgotten the job's work item, which somebody has added again since."""
    tree = stage.store.tree("job_1")
    items = {key: structs.replace(item, since_ms=item.since_ms + 1, owner="") for key, item in tree.items.items()}
    stage.store.write("job_1", structs.replace(tree, items=items))


def done(stage: Stage) -> None:
    stage.store.write("job_1", structs.replace(stage.store.tree("job_1"), items={}))


def nothing(_stage: Stage) -> None:
    pass


def staged(in_turn: Happens = nothing, in_call: Happens = nothing, found: Pending | int = 1) -> Stage:
    """A job whose first turn calls one tool; what happens while it does, and while the tool runs."""

    @tool(retries=0)
    async def look() -> Pending | int:
        in_call(stage)
        return found

    def answer(request: ModelRequest) -> ModelAnswer:
        in_turn(stage)
        return ModelAnswer(calls=(Call("look", {}),)) if request.turn == 1 else ModelAnswer("seen")

    stage = Stage(registry=Registry([Agent("looks", model=Listening(answer), tools=[look])]))
    return stage


async def test_a_turn_that_was_added_anew_meanwhile_is_asked_anew() -> None:
    """It was told what a failover has forgotten; another answer may be right by now."""
    stage = staged(added_anew)
    outcome = await stage.deliver(await stage.submit("looks"), "m-turn")
    assert outcome.label == "overtaken"
    assert [item.kind for item in await stage.items()] == [ItemKind.LOOP]


@pytest.mark.parametrize(
    ("in_call", "found", "label", "waiting"),
    [
        # Its arguments are recorded: it would do the same again.
        pytest.param(added_anew, 1, "done", 0, id="a call that was replayed anew counts all the same"),
        pytest.param(nothing, Pending(timeout_seconds=60), "done", 1, id="the outcome of a call that waits is awaited"),
        pytest.param(done, Pending(timeout_seconds=60), "overtaken", 0, id="not by who has recorded nothing"),
    ],
)
async def test_what_becomes_of_a_call(in_call: Happens, found: Pending | int, label: str, waiting: int) -> None:
    stage = staged(in_call=in_call, found=found)
    await stage.deliver(await stage.submit("looks"), "m-turn")
    outcome = await stage.deliver(stage.events()[-1], "m-call")
    assert (outcome.label, await stage.ports.operation_stream.expected(stage.clock.ms)) == (label, waiting)


@pytest.mark.parametrize("losses", [0, 1])
@pytest.mark.parametrize(
    ("body", "follows"),
    [
        pytest.param(lambda: 1, "agent.loop.init", id="a turn"),
        pytest.param(
            lambda: Pending(timeout_seconds=0, otherwise=1), "tool.execution.complete", id="a wait that is over"
        ),
    ],
)
async def test_what_follows_is_published(body: Callable[[], Pending | int], follows: str, losses: int) -> None:
    """Also by who does not hear that somebody else dispatches it: the answer to its COMMIT was lost."""
    again = list[Event]()

    @tool
    async def look() -> Pending | int:
        if again:
            came = await stage.deliver(again.pop(), "m-turn", retried=1)
            assert (came.label, came.dispatched) == ("applied", 1)
            fail(stage.store, "commit", StoreError("no answer"), losses, applied=True)
        return body()

    registry = Registry([Agent("looks", model=ScriptedModel([[Call("look", {})], "seen"]), tools=[look])])
    stage = Stage(settings=replace(SETTINGS, continuation="inline"), registry=registry)
    first = await stage.submit("looks")
    again.append(first)
    outcome = await stage.deliver(first, "m-turn")
    assert (stage.events()[-1].type, outcome.dispatched) == (follows, 1)
    assert [item.owner for item in await stage.items()] == [""]
    await stage.run()
    assert (await stage.snapshot()).job.result == {"answer": "seen"}
