"""A workspace outside: made once a job, found by each of its steps, and destroyed once the job has ended, however."""

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic_ai import Agent, RunContext
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.workspaces import WorkspaceRef

from baton import Registry, as_tool
from baton.pydantic_ai import durable
from baton.testing import Simulation
from tests.unit.baton.sdk.pydantic_ai.boxes import NAME, LooksFirst, Provider, boxed
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage, call, scripted


def one_box(provider: Provider) -> bool:
    return (len(provider.made), list(provider.destroyed.values()), provider.live) == (1, [1], {})


async def test_all_steps_of_a_job_work_in_one_box_which_is_destroyed_after_it() -> None:
    """Also calls beside each other: what they have written is there for the later one, as in `agent.run`."""
    direct, provider = Provider(), Provider()
    expected = await boxed(direct).run("do it")
    assert list(direct.live.values()) == [["line1", "line2", "line3"]]
    run = await Simulation(Registry([durable(boxed(provider))])).run("a", "do it")
    told = [part["content"] for message in run.model_messages for part in message["parts"] if "outcome" in part]
    assert (run.result["output"], told[-1]) == (expected.output, "line1 line2 line3")
    assert (one_box(provider), provider.used_when_gone) == (True, [])


@pytest.mark.parametrize(
    ("is_named", "more"),
    [
        pytest.param(True, (), id="named by its job"),
        pytest.param(False, (LooksFirst(),), id="named by its provider, and looked for first", marks=pytest.mark.long),
    ],
)
async def test_no_box_is_left_wherever_a_process_dies(is_named: bool, more: tuple[Any, ...]) -> None:
    """But for one: its provider has made it, and the process died before it had the name that the box was given."""
    provider = Provider()
    left = list[tuple[int, int]]()

    def fresh() -> None:
        if provider.made:
            assert provider.used_when_gone == []
            left.append((len(provider.live), max(provider.destroyed.values())))
        provider.renew()

    agent = durable(boxed(provider, *more, is_named=is_named))
    report = await Simulation(Registry([agent]), fresh=fresh).crash_everywhere("a", "do it")
    fresh()
    if is_named:  # else the messages name another box
        report.check()
    assert {run.result.get("output") for run in report.runs} == {"done"}
    assert len(left) == len(report.points) + 2
    assert max(times for _, times in left) <= 2, "a process may die after a box is destroyed, and before that is noted"
    if is_named:
        assert sum(boxes for boxes, _ in left) == 0
    else:
        assert 0 < sum(boxes for boxes, _ in left) <= 0.2 * len(left)
        assert max(boxes for boxes, _ in left) == 1


@dataclass
class Breaks(AbstractCapability[Any]):
    """Fails these requests."""

    requests: list[bool]

    async def before_model_request(self, ctx: RunContext[Any], request_context: Any) -> Any:
        if self.requests and self.requests.pop(0):
            raise ValueError("broken")
        return request_context


class Ending:
    """Jobs of one provider's boxes on a stage, which are ended in the middle."""

    def __init__(self, *agents: Any) -> None:
        self.stage = PlayedStage(registry=Registry([*map(durable, agents[:1]), *agents[1:]]))

    async def cancel(self) -> None:
        await self.stage.container.commands.cancel(await self.stage.now(), "me")

    async def play(self, agent: str = "a") -> str:
        await self.stage.submit(agent)
        await self.stage.run()
        return str((await self.stage.now()).status)


async def test_a_box_is_destroyed_when_the_last_step_of_a_cancelled_job_is_over() -> None:
    """The call that runs meanwhile writes to the end. No box is made after the end, too."""
    provider = Provider()
    agent: Agent[Any, Any] = boxed(provider, turns=([call("ends", "1")], "done"))
    ending = Ending(agent)

    @agent.tool
    async def ends(ctx: RunContext[Any]) -> str:
        """End the job."""
        await ending.cancel()
        await ending.stage.run(within_seconds=1)
        return (await ctx.workspace.run(["last"])).stdout

    assert await ending.play() == "cancelled"
    assert (one_box(provider), provider.used_when_gone) == (True, [])


@pytest.mark.parametrize("is_named", [True, False])
async def test_a_box_that_is_made_for_a_job_that_has_ended_meanwhile_is_destroyed(is_named: bool) -> None:
    """Its record is dropped: the process that has made it destroys it."""
    provider = Provider()
    agent = boxed(provider, is_named=is_named)
    ending = Ending(agent)
    provider.on_made = ending.cancel
    assert await ending.play() == "cancelled"
    assert one_box(provider)


async def test_the_box_of_a_failed_job_is_destroyed_and_its_retry_gets_another_one() -> None:
    """A model's failure ends the job; the retry goes on with the messages, and the next call writes into a new box."""
    provider, breaks = Provider(), Breaks([False, True])
    ending = Ending(boxed(provider, breaks, turns=([call("note", "1", n=1)], [call("note", "3", n=3)], "done")))
    assert await ending.play() == "failed"
    assert one_box(provider)
    commands = ending.stage.container.commands
    assert (await commands.retry(await ending.stage.now(), "me", from_start=False)).changed
    await ending.stage.run()
    assert (await ending.stage.now()).status == "completed"
    assert (provider.made, provider.destroyed, provider.live) == (["box-0", "box-1"], {"box-0": 1, "box-1": 1}, {})


async def test_a_retry_before_the_release_leaves_no_box() -> None:
    """The box of the earlier run is destroyed while the later one works in its own."""
    provider, breaks = Provider(), Breaks([False, True])
    ending = Ending(boxed(provider, breaks, turns=([call("note", "1", n=1)], [call("note", "3", n=3)], "done")))
    stage, retried = ending.stage, list[str]()
    provider.on_made = lambda: _away(provider)

    async def retry() -> None:
        job = await stage.now()
        if job.status == "failed" and not retried:
            retried.extend(provider.live)
            provider.on_made = None
            await stage.container.commands.retry(job, "me", from_start=False)

    await stage.submit("a")
    await stage.run(retry)
    assert (retried, (await stage.now()).status) == (["box-0"], "completed")
    assert (provider.destroyed, provider.live, provider.used_when_gone) == ({"box-0": 1, "box-1": 1}, {}, [])


async def test_a_job_is_deleted_only_after_its_box_is_destroyed() -> None:
    """Which is tried again while the provider is away."""
    provider = Provider()
    ending = Ending(boxed(provider))
    await ending.stage.submit("a")
    provider.on_made = lambda: _away(provider)
    commands, refused = ending.stage.container.commands, list[str]()

    async def delete() -> None:
        job = await ending.stage.now()
        if job.ended and provider.live:
            refused.append((await commands.delete(job)).refused)

    await ending.stage.run(delete)
    assert set(refused) == {"the workspace of job 'job_1' is still to be released: delete the job after that"}
    assert one_box(provider)
    assert (await commands.delete(await ending.stage.now())).changed


async def _away(provider: Provider) -> None:
    provider.away = 2


async def test_the_box_of_a_job_below_is_destroyed_with_the_job_that_started_it() -> None:
    provider = Provider()
    helper: Agent[Any, Any] = boxed(provider, turns=([call("ends", "1")], "done"))
    helping = durable(helper, name="helper")
    boss: Agent[Any, Any] = Agent(
        scripted([call("helper", "1", task="help")], "done"), name="a", tools=[as_tool(helping)]
    )
    ending = Ending(boss, helping)

    @helper.tool_plain
    async def ends() -> str:
        """End the job above."""
        await ending.cancel()
        return "ended"

    assert await ending.play() == "cancelled"
    assert one_box(provider)


async def test_a_given_workspace_stays() -> None:
    provider = Provider()
    provider.live["shared"] = []
    agent = durable(boxed(provider), workspace=lambda _: WorkspaceRef(provider=NAME, id="shared"))
    await Simulation(Registry([agent])).run("a", "do it")
    assert (provider.made, provider.destroyed, provider.live) == ([], {}, {"shared": ["line1", "line2", "line3"]})


async def test_a_provider_that_is_away_for_a_moment_fails_an_attempt_of_the_turn() -> None:
    provider = Provider(away=1)
    run = await Simulation(Registry([durable(boxed(provider))])).run("a", "do it")
    assert (run.result["output"], one_box(provider)) == ("done", True)


async def test_a_job_without_calls_makes_no_box() -> None:
    provider = Provider()
    await Simulation(Registry([durable(boxed(provider, turns=("done",)))])).run("a", "do it")
    assert provider.made == []
