"""What a run of a simulation tells, and what a crash at each point does to it."""

import asyncio
import time

import pytest

from baton import Agent, Call, Limits, Pending, Registry, ScriptedModel, ToolContext, sleep, tool
from baton.sdk.records.limits import MOST_SECONDS
from baton.sdk.tools.tool import Tool
from baton.testing import Approve, Checkpoint, Operation, Reject, Simulation
from baton.testing.simulation import FAULTS

notes: list[str] = []


@tool
def note(text: str, ctx: ToolContext) -> int:
    """Note a text in this process."""
    Simulation.effect(ctx.idempotency_key)
    notes.append(text)
    return len(notes)


@tool
async def look_at_the_clock() -> list[float]:
    """Read two clocks around a pause."""
    before = time.time()
    await asyncio.sleep(20)
    return [time.time() - before, time.monotonic() - before]


@tool(requires_approval=True)
def delete(path: str) -> str:
    """Delete a file."""
    return f"{path} deleted"


@tool
def commission() -> Pending:
    """Let somebody else work."""
    return Pending(timeout_seconds=3600)


def simulation(*turns: list[Call], seed: int = 0) -> Simulation:
    tools: list[Tool] = [note, look_at_the_clock, delete, commission, sleep]
    return Simulation(Registry([Agent("agent", model=ScriptedModel([*turns, "done"]), tools=tools)]), seed)


async def test_a_run_reports_what_its_job_came_to() -> None:
    run = await simulation([Call("note", {"text": "a"}), Call("note", {"text": "b"})]).run(
        "agent", "go", input_data={"n": 1}
    )
    assert (run.status, run.result, run.error) == ("completed", {"answer": "done"}, None)
    assert [(start.tool, start.arguments, start.attempt) for start in run.tool_starts] == [
        ("note", {"text": "a"}, 1),
        ("note", {"text": "b"}, 1),
    ]
    assert len({start.idempotency_key for start in run.tool_starts}) == 2
    assert run.usage["modelCalls"] == 2
    assert run.parts[-1]["type"] == "finish"
    assert run.model_messages[0]["data"] == {"n": 1}
    assert [entry["ok"] for entry in run.model_messages if entry["role"] == "tool"] == [1, 2]


async def test_each_world_begins_with_what_its_modules_had() -> None:
    notes[:] = ["before"]
    playing = simulation([Call("note", {"text": "a"})])
    for _ in range(2):
        run = await playing.run("agent", "go")
        assert run.calls[0]["result"] == 2
    notes.clear()


async def test_a_person_approves_with_other_arguments_or_rejects() -> None:
    requested = list[Checkpoint]()

    def decide(checkpoint: Checkpoint) -> Approve | Reject:
        requested.append(checkpoint)
        return Approve({"path": "b"}) if checkpoint.arguments["path"] == "a" else Reject("too dear")

    run = await simulation([Call("delete", {"path": "a"})], [Call("delete", {"path": "c"})]).run(
        "agent", "go", decide=decide
    )
    assert [checkpoint.tool for checkpoint in requested] == ["delete", "delete"]
    assert [call["status"] for call in run.calls] == ["completed", "failed"]
    assert run.calls[0]["result"] == "b deleted"
    assert run.calls[1]["error"] == {"type": "rejected", "message": "too dear"}


@pytest.mark.parametrize(
    ("outcome", "result"),
    [({"success": True, "result": 7}, 7), (None, {"timedOut": True}), ({"success": False, "error": "no"}, None)],
)
async def test_an_operation_ends_by_its_outcome_or_times_out(outcome: dict[str, object] | None, result: object) -> None:
    requested = list[Operation]()

    def outcomes(operation: Operation) -> dict[str, object] | None:
        requested.append(operation)
        return outcome

    run = await simulation([Call("commission", {})]).run("agent", "go", outcomes=outcomes)
    assert [operation.tool for operation in requested] == ["commission"]
    assert run.calls[0].get("result") == result
    assert (run.virtual_seconds > 3_600) == (outcome is None)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_job_survives_each_fault(fault: str, seed: int) -> None:
    turns = [[Call("note", {"text": str(number)})] for number in range(4)]
    run = await simulation(*turns, seed=seed).run("agent", "go", faults=[fault])
    assert (run.status, run.result) == ("completed", {"answer": "done"})
    effects = {key for attempt in run.attempts for key in attempt.effects}
    assert len(effects) == 4


async def test_a_fault_happens() -> None:
    turns = [[Call("note", {"text": str(number)})] for number in range(8)]
    usual = await simulation(*turns).run("agent", "go")
    slow = await simulation(*turns).run("agent", "go", faults=["slow_model"])
    failing = await simulation(*turns).run("agent", "go", faults=["failing_provider"])
    forgetful = await simulation(*turns).run("agent", "go", faults=["forgetful_store"])
    assert usual.virtual_seconds < 1
    assert slow.virtual_seconds > 10
    assert failing.virtual_seconds > 1
    assert any("forgets" in found for _, found in forgetful.story)


async def test_the_same_seed_gives_the_same_run() -> None:
    turns = [[Call("note", {"text": str(number)})] for number in range(4)]
    first, second = [
        await simulation(*turns, seed=7).run("agent", "go", faults=["duplicates", "reorder"]) for _ in range(2)
    ]
    assert first.story == second.story


async def test_a_crash_everywhere_shows_where_it_died_and_what_repeated() -> None:
    report = await simulation([Call("note", {"text": "a"})]).crash_everywhere("agent", "go")
    report.check()
    assert report.repeated == {"note": 2}
    assert (report.different, report.effects_repeated, report.effects_lost) == ([], [], [])
    found = [str(point) for point in report.points]
    for what in ("the claim of the next turn", "an effect of note", "the commit of note"):
        assert {f"the process dies before {what}", f"the process dies after {what}"} <= set(found)
    assert len(report.runs) == len(report.points)
    assert all(any("the process dies" in text for _, text in run.story) for run in report.runs)


async def test_the_story_of_a_failure_says_what_was_done_and_what_repeated() -> None:
    numbers = iter(range(100))

    @tool
    def pay() -> str:
        Simulation.effect(f"payment {next(numbers)}")
        return "paid"

    registry = Registry([Agent("agent", model=ScriptedModel([[Call("pay", {})], "done"]), tools=[pay])])
    report = await Simulation(registry).crash_everywhere("agent", "go")
    assert report.effects_repeated == ["pay"]
    with pytest.raises(AssertionError) as raised:
        report.check()
    story = str(raised.value)
    assert story.startswith("pay repeats its effect under another key, where the process dies after an effect of pay")
    for text in ("pay() starts, attempt 1", "pay() starts again", "which is another one", "the job ends: completed"):
        assert text in story
    assert "Way out: use ctx.idempotency_key" in story


def test_the_fixture_makes_simulations(baton_simulation: type[Simulation]) -> None:
    """Outside of a run an effect does nothing."""
    registry = Registry([Agent("agent", model=ScriptedModel(["done"]))])
    run = asyncio.run(baton_simulation(registry, seed=3).run("agent", "go"))
    assert run.status == "completed"
    Simulation.effect("key")


async def test_time_is_virtual_and_the_real_clock_is_there_again_afterwards() -> None:
    run = await simulation([Call("sleep", {"seconds": 600})], [Call("look_at_the_clock", {})]).run("agent", "go")
    assert 620 < run.virtual_seconds < 630
    assert run.calls[1]["result"][0] == pytest.approx(20, abs=0.1)
    assert time.time.__module__ == time.sleep.__module__ == "time"


async def test_a_fault_or_a_model_that_cannot_be_played_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="duplicates, reorder"):
        await simulation().run("agent", "go", faults=["fire"])
    with pytest.raises(TypeError, match="Simulation takes a Registry, got"):
        Simulation([])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    agent = Agent(name="agent", model="openai:gpt-5-mini", offload="queue")
    with pytest.raises(RuntimeError, match="play one with a model for tests"):
        await Simulation(Registry([agent])).run("agent", "go")


@pytest.mark.parametrize("days", [1, 41, pytest.param(3650, marks=pytest.mark.long)])
async def test_every_wait_that_a_job_may_have_is_played_to_its_end(days: int) -> None:
    script = ScriptedModel([[Call("sleep", {"seconds": days * 86_400})], "done"])
    agent = Agent("agent", model=script, tools=[sleep], limits=Limits(wall_seconds=MOST_SECONDS))
    run = await Simulation(Registry([agent])).run("agent", "go")
    assert (run.status, run.virtual_seconds // 86_400, run.story[-1][1]) == (
        "completed",
        days,
        "the job ends: completed",
    )


async def test_no_word_of_the_simulation_itself_is_a_secret() -> None:
    text = "a simulation of the tenant simulation"
    run = await Simulation(Registry([Agent("agent", model=ScriptedModel([text]))])).run("agent", text)
    assert run.result == {"answer": text}
