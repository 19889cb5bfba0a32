"""Events in a simulation: the jobs that they start, in virtual time, and with a crash at each point."""

import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from baton import Agent, Event, HandlerContext, Registry, ScriptedModel, on, tool, workflow
from baton.server.api.problem import ApiError
from baton.testing import Simulation

helper = Agent(name="helper", model=ScriptedModel(["done"]), instructions="Help.")


@on("order.created", retries=2)
async def book(event: Event, ctx: HandlerContext) -> str:
    """Book an order once."""
    return await ctx.start("helper", f"book {event.data['n']}", once_for=f"o {event.data['n']}")


@on("order.paid", batch=(3, 60))
async def ship(events: list[Event], ctx: HandlerContext) -> str:
    """Ship orders together."""
    return await ctx.start("helper", "ship " + ", ".join(str(each.data["n"]) for each in events))


@on("order.changed", debounce_seconds=30)
async def update(event: Event, ctx: HandlerContext) -> str:
    """Take the last change."""
    return await ctx.start("helper", f"update {event.data['n']}")


@on("order.sealed")
async def unseal(event: Event, ctx: HandlerContext) -> str:
    for name in ("order.created", "order.opened"):
        await ctx.emit(name, event.data)
    return await ctx.start("opened", "", input_data=event.data)


@workflow(on="order.opened")
async def opened(n: int, token: str = "hold_4711") -> str:
    return f"{n}: {token}"


@on("order.lost")
async def fail(event: Event, ctx: HandlerContext) -> None:
    """Fail."""
    raise ValueError(f"order {event.data['n']} is lost")


@tool
async def weigh(n: int) -> int:
    return n * 2


@workflow(on="order.weighed")
async def weighing(n: int) -> int:
    """Weigh an order."""
    return await weigh(n)


waits = Agent(name="waits", model=ScriptedModel(["seen"]), instructions="Look.", on="order.seen", task="Look at it.")


def simulation() -> Simulation:
    return Simulation(
        Registry(agents=[helper, waits], handlers=[book, ship, update, fail, unseal], workflows=[weighing, opened])
    )


def tasks(runs: list[Any]) -> list[tuple[str, str]]:
    return [(run.agent, run.model_messages[0]["text"]) for run in runs]


@pytest.mark.parametrize(
    ("name", "again", "started"),
    [
        ("order.created", [], ["book 0"]),
        ("order.created", [(5, 0), (9, 1)], ["book 0", "book 1"]),
        ("order.paid", [], ["ship 0"]),
        ("order.paid", [(1, 1), (2, 2)], ["ship 0, 1, 2"]),
        ("order.paid", [(1, 1), (200, 2)], ["ship 0, 1", "ship 2"]),
        ("order.changed", [(10, 1), (20, 2)], ["update 2"]),
        ("order.changed", [(10, 1), (500, 2)], ["update 1", "update 2"]),
        ("order.unknown", [], []),
    ],
)
async def test_an_event_starts_jobs_in_virtual_time(
    name: str, again: list[tuple[float, int]], started: list[str]
) -> None:
    """Batches, `debounce` and `once_for` as in production; the handlers' own jobs are none of them."""
    runs = await simulation().emit(name, {"n": 0}, key="k", again=[(at, {"n": n}) for at, n in again])
    assert sorted(tasks(runs)) == [("helper", task) for task in started]
    assert {run.status for run in runs} <= {"completed"}


async def test_a_text_that_counts_once_starts_nothing_twice() -> None:
    """In the same run and in later ones; a day later it does."""
    played, day = simulation(), 86_401
    again = [(5, {"n": 1}), (day, {"n": 2})]
    assert tasks(await played.emit("order.created", {"n": 0}, once_for="x", again=again)) == [
        ("helper", "book 0"),
        ("helper", "book 2"),
    ]
    assert await played.emit("order.created", {"n": 3}, once_for="x") == []


async def test_agents_and_workflows_that_take_an_event_are_its_jobs() -> None:
    played = simulation()
    [seen] = await played.emit("order.seen", {"n": 1})
    assert (seen.agent, seen.result) == ("waits", {"answer": "seen"})
    [weighed] = await played.emit("order.weighed", {"n": 4})
    assert (weighed.agent, weighed.result) == ("weighing", {"answer": "8", "output": 8})


async def test_a_handler_passes_on_what_it_was_given() -> None:
    """Also what stands under a secret's name: it is code."""
    runs = await simulation().emit("order.sealed", {"n": 1, "token": "hold_4711"})
    assert [run.result["output"] for run in runs if run.agent == "opened"] == ["1: hold_4711"] * 2


async def test_a_handler_that_fails_is_shown() -> None:
    [failed] = await simulation().emit("order.lost", {"n": 1})
    assert (failed.agent, failed.status) == ("fail", "failed")
    assert "order 1 is lost" in str(failed.calls)


async def test_an_event_that_the_api_refuses_is_refused() -> None:
    with pytest.raises(ApiError, match="name"):
        await simulation().emit("no name", {"n": "x"})


@pytest.mark.long
@pytest.mark.parametrize("name", ["order.created", "order.paid", "order.changed", "order.weighed", "order.sealed"])
async def test_a_crash_at_any_point_changes_nothing(name: str) -> None:
    report = await simulation().crash_everywhere_of(name, {"n": 1}, key="k", again=[(1, {"n": 2})])
    report.check()
    assert len(report.points) > 10


@on("order.sent")
async def send(event: Event, ctx: HandlerContext) -> str:
    """Send a letter under a key of its own for each attempt."""
    Simulation.effect(f"{event.id} of {ctx.attempt}: {uuid.uuid4().hex}")
    return "sent"


async def test_a_handler_that_repeats_its_effect_is_found() -> None:
    report = await Simulation(Registry(handlers=[send])).crash_everywhere_of("order.sent", {"n": 1})
    assert report.effects_repeated
    with pytest.raises(AssertionError, match="repeats its effect"):
        report.check()


SCRIPT = """
import asyncio
from baton import Agent, Registry, ScriptedModel, Call, tool
from baton.testing import Simulation

SEEN, calls = [], []

@tool
async def note(n: int) -> int:
    \"\"\"Note.\"\"\"
    global last
    last = n
    calls.append(n)
    return len(calls)

agent = Agent(name="a", model=ScriptedModel([[Call("note", {"n": 1})], "done"]), tools=[note], instructions="Do.")
played = Simulation(Registry(agents=[agent]))
NAME = "defined after the simulation"
for number in range(3):
    run = asyncio.run(played.run("a", NAME))
    assert calls == [1], calls
    assert last == 1
    assert number == len(SEEN), (number, SEEN)
    SEEN.append(run.status)
    NAME = NAME + "."
assert SEEN == ["completed"] * 3, SEEN
assert NAME.endswith("simulation..."), NAME
print("fine")
"""


def test_a_simulation_at_the_top_of_a_script_leaves_its_names_alone(tmp_path: Path) -> None:
    """What tools have changed is undone for the next run; what the script has changed stays."""
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "fine\n", done.stderr
