"""A call that becomes a task of its server waits without a process, and is looked at until the task is over."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from baton import Agent, Call, Limits, Registry, ScriptedModel
from baton.mcp import McpServer
from baton.sdk.mcp import tasks
from baton.sdk.mcp.elicitation import busy
from baton.sdk.models.model import ModelAnswer, ModelRequest
from baton.sdk.tools.pending import RunAgain
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.sdk.mcp.served import Served, serving
from tests.unit.baton.sdk.mcp.working import Bakery, bakery
from tests.unit.baton.server.api.client import api_of, with_keys
from tests.unit.baton.server.api.sessions.chatting import sending, text_of

_PATIENT = Limits(wall_seconds=7 * 86_400)
DAY_MS = 86_400_000
BAKE = Call("bake", {"bread": "rye"})
ASKS: dict[str, Any] = {"method": "elicitation/create"}
ODD: tuple[dict[str, Any], ...] = ({}, {"params": []}, {"params": {"message": 5}})


@pytest.fixture
async def working() -> AsyncIterator[tuple[Served, Bakery, Stage]]:
    mcp, tasks = bakery()
    async with serving(mcp) as served:
        agent = Agent("baker", model=ScriptedModel([[BAKE], "done"]), tools=[McpServer(served.url)], limits=_PATIENT)
        yield served, tasks, Stage(registry=Registry([agent]))


async def test_a_task_is_looked_at_now_and_then(working: tuple[Served, Bakery, Stage]) -> None:
    """At the server's interval, without a slot in between; its result is the call's."""
    _, tasks, stage = working
    tasks.interval_ms = 4_000
    await stage.submit("baker")
    begun_ms, looks_ms = stage.clock.ms, list[int]()

    async def look() -> None:
        if len(looks_ms) < tasks.looks:
            looks_ms.append(stage.clock.ms - begun_ms)

    await stage.run(look, within_seconds=14)
    [call] = await stage.calls()
    assert (call.status, call.attempts, looks_ms) == ("waiting", 1, [4_000, 8_000, 12_000])
    assert not any(entry.slot for entry in stage.admission.entries.values())
    tasks.ends_with("a loaf")
    await stage.run()
    [call] = await stage.calls()
    assert (call.status, call.attempts, call.memo, tasks.baked) == ("completed", 1, {}, 1)
    assert (await stage.snapshot()).results[call.id] == {"ok": "a loaf"}


def test_an_old_task_is_looked_at_more_seldom() -> None:
    """After a twentieth of its age, but at least every five minutes; more often only where nobody answers."""
    begun = tasks.begun(tasks.TaskHandle(task_id="t", poll_interval_ms=4_000), 0)
    looked = [tasks.outcome(tasks.TaskState(status="working"), begun.memo, at_ms) for at_ms in (0, 3_600_000, DAY_MS)]
    assert [each.after_seconds for each in looked if isinstance(each, RunAgain)] == [4, 180, 300]
    missed = tasks.lost(begun.memo, 0)
    assert missed is not None
    assert (missed.after_seconds, missed.memo["task"]["lost"]) == (8, 1)


async def test_a_cancelled_job_looks_no_more(working: tuple[Served, Bakery, Stage]) -> None:
    _, tasks, stage = working
    await stage.submit("baker")
    await stage.run(within_seconds=60)
    looks = tasks.looks
    await stage.container.commands.cancel((await stage.snapshot()).job, "somebody")
    await stage.run()
    assert (tasks.looks, (await stage.snapshot()).job.status) == (looks, "cancelled")


class Talks:
    """A model that bakes when it is asked to, and else says again what it gets."""

    name, reads_history = "talks", True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        text = getattr(request.messages[-1], "text", "")
        return ModelAnswer("", (BAKE,)) if text == "bake" else ModelAnswer(text or "it has begun")


async def test_a_task_of_a_chat_goes_on_in_the_background() -> None:
    """The chat is answered at once, and by a turn of its own once the task is over."""
    mcp, bread = bakery()
    async with serving(mcp) as served:
        registry = Registry([Agent("talks", model=Talks(), tools=[McpServer(served.url)])])
        async with api_of(Stage(settings=with_keys(), registry=registry)) as api:
            requesting = await sending(api, "chat-1", "m1", "bake")
            await api.stage.run(within_seconds=6)
            assert text_of(await requesting) == "it has begun"
            [operation] = (await api.request("GET", "/api/sessions/chat-1")).json()["activeOperations"]
            assert (operation["tool"], bread.baked, bread.looks) == ("bake", 1, 1)
            bread.ends_with("a loaf")
            await api.stage.run()
            shown = (await api.request("GET", "/api/sessions/chat-1")).json()
    assert (shown["activeOperations"], bread.baked) == ([], 1)
    assert shown["messages"][-1]["parts"][-1]["text"].endswith('Its result: "a loaf"]')


@pytest.mark.parametrize(
    ("away", "ends", "error"),
    [
        (0, {"status": "failed", "error": {"code": -32000, "message": "burnt"}}, ("mcp_task_failed", "burnt")),
        (1_000, {}, ("mcp_server", "")),
    ],
    ids=["it failed", "its server stays away"],
)
async def test_a_task_that_fails_is_the_calls_error(
    working: tuple[Served, Bakery, Stage], away: int, ends: dict[str, Any], error: tuple[str, str]
) -> None:
    served, tasks, stage = working
    await stage.submit("baker")
    await stage.run(within_seconds=5)
    served.away, tasks.ends = away, ends
    await stage.run()
    [call] = await stage.calls()
    assert call.error is not None
    assert (call.error.type, error[1] in call.error.message, tasks.baked) == (error[0], True, 1)


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ({"status": "completed"}, "status 'completed', without a result"),
        ({"status": "paused"}, "status 'paused', without a result"),
        ({"status": "working" * 10_000}, "status 'workingworking"),
        *(({"status": "input_required", "input_requests": {"k": ASKS | more}}, "inputRequests.k") for more in ODD),
    ],
)
async def test_a_state_that_is_none_ends_the_call(
    working: tuple[Served, Bakery, Stage], ends: dict[str, Any], said: str
) -> None:
    """Else it would be looked at for ever, or fail by an error that nobody understands."""
    _, tasks, stage = working
    await stage.submit("baker")
    tasks.ends = ends
    await stage.run()
    [call] = await stage.calls()
    assert call.error is not None
    assert (call.error.type, said in call.error.message, tasks.looks) == ("mcp_invalid_result", True, 1)
    assert len(call.error.message) < 1_200


def test_a_server_that_is_only_busy_is_asked_ever_more_seldom() -> None:
    """It has no question, and wants its state sent back."""
    waits, memo = list[Any](), dict[str, Any]()
    for _ in range(12):
        again = busy(memo, {"waiting": {}, "answers": {"r": {"roots": []}}, "state": "s"})
        waits, memo = [*waits, again.after_seconds], again.memo
    assert memo["asked"].items() >= {"answers": {"r": {"roots": []}}, "state": "s"}.items()
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


async def test_a_task_outlives_a_server_that_is_away_and_a_deployment(working: tuple[Served, Bakery, Stage]) -> None:
    """Neither its list nor its looks fail the call; it is looked at ever more seldom."""
    served, tasks, stage = working
    await stage.submit("baker")
    await stage.run(within_seconds=5)
    assert (tasks.baked, tasks.looks) == (1, 1)
    served.away = 5
    stage.restart()
    tasks.ends_with("a loaf")
    await stage.run()
    [call] = await stage.calls()
    assert (call.status, tasks.baked, served.away) == ("completed", 1, 0)
    assert (await stage.snapshot()).job.result == {"answer": "done"}
