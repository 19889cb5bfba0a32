"""Calls that share a limit: they wait without a process, begin in time, and are begun no more often for it."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from baton import Agent, Call, CallLimit, Limits, Registry, ScriptedModel, ToolError, tool
from baton.storage.in_memory.call_limits import InMemoryCallLimits
from baton.testing import Run, Simulation

RUNNING: list[int] = []
MOST: list[int] = []
STARTS: list[float] = []


def _now() -> float:
    return asyncio.get_running_loop().time()


@tool(call_limits=[CallLimit("desk", in_flight=1)])
async def sign(page: int) -> int:
    RUNNING.append(page)
    MOST.append(len(RUNNING))
    await asyncio.sleep(3)
    RUNNING.remove(page)
    return page


@tool(call_limits=[CallLimit("stamps", in_flight=1)])
async def stamp(page: int) -> int:
    await asyncio.sleep(25)
    return page


@tool(call_limits=[CallLimit(lambda call: f"street:{call.arguments['street']}", per_minute=30)])
async def deliver(street: str) -> str:
    STARTS.append(_now())
    return street


@tool(call_limits=[CallLimit("seal", per_minute=30, in_flight=1)])
async def seal(page: int, seconds: float) -> int:
    STARTS.append(_now())
    await asyncio.sleep(seconds)
    return page


@tool(retries=2, call_limits=[CallLimit("bank", per_minute=6_000)])
async def pay(euros: int) -> int:
    STARTS.append(_now())
    if len(STARTS) == 1:
        raise ToolError("too many requests", retryable=True, retry_after_seconds=40)
    return euros


@tool(call_limits=[CallLimit(lambda call: call.arguments["no such"], in_flight=1)])
async def lost(page: int) -> int:
    return page


def _agent(*calls: Call, **options: Any) -> Agent:
    model = ScriptedModel([list(calls), "done"])
    return Agent(
        name="clerk", model=model, tools=[sign, stamp, seal, deliver, pay, lost], limits=Limits(turns=9), **options
    )


@pytest.fixture(autouse=True)
def empty() -> None:
    for each in (RUNNING, MOST, STARTS):
        each.clear()


async def _run(*calls: Call, **options: Any) -> Run:
    run = await Simulation(Registry([_agent(*calls, **options)])).run("clerk", "work")
    assert run.status == "completed", run.error
    return run


async def test_calls_take_turns_at_a_place() -> None:
    """Four calls of one turn, one after the other, each begun once."""
    run = await _run(*(Call("sign", {"page": page}) for page in range(4)))
    assert MOST == [1, 1, 1, 1]
    assert [start.attempt for start in run.tool_starts] == [1, 1, 1, 1]
    assert run.virtual_seconds < 60  # woken, not asking each minute


async def test_a_call_that_waits_for_long_comes_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    requested: Counter[str] = Counter()
    begin_call = InMemoryCallLimits.begin_call

    async def counted(*arguments: Any) -> Any:
        requested[arguments[2].name] += 1
        return await begin_call(*arguments)

    monkeypatch.setattr(InMemoryCallLimits, "begin_call", counted)
    run = await _run(*(Call("stamp", {"page": page}) for page in range(30)))
    assert run.virtual_seconds > 600
    assert max(requested.values()) <= run.virtual_seconds / 60 + 6  # five more are of the minute in which all came


async def test_calls_begin_as_often_as_their_key_lets_them() -> None:
    await _run(*(Call("deliver", {"street": street}) for street in ("Elm", "Elm", "Elm", "Oak")))
    seconds = [round(start - STARTS[0]) for start in sorted(STARTS)]
    assert seconds == [0, 0, 2, 4]


async def test_calls_that_waited_for_a_place_begin_evenly_too() -> None:
    slow = [Call("seal", {"page": page, "seconds": 28}) for page in range(8)]
    quick = [Call("seal", {"page": page, "seconds": 0}) for page in range(40)]
    run = await Simulation(Registry([_agent(*slow, *quick)])).run("clerk", "Seal them.")
    assert run.status == "completed"
    assert max(sum(at <= other < at + 60 for other in STARTS) for at in STARTS) <= 31


async def test_what_the_other_side_asks_for_holds_for_everybody() -> None:
    """No call of the key begins in the meantime, whoever was told."""
    await _run(Call("pay", {"euros": 1}), Call("pay", {"euros": 2}), Call("pay", {"euros": 3}))
    assert len(STARTS) == 4
    assert sum(start - STARTS[0] < 39 for start in STARTS) <= 2  # the other one had begun


async def test_a_key_that_fails_is_the_calls_failure() -> None:
    run = await _run(Call("lost", {"page": 1}))
    assert "limit_key_failed" in str(run.model_messages)


async def test_a_model_waits_for_its_provider() -> None:
    run = await _run(Call("deliver", {"street": "Elm"}), call_limits=[CallLimit("provider", per_minute=1)])
    assert run.virtual_seconds >= 59


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"key": ""}, "1 to 200 characters"),
        ({"key": "x"}, "pass per_minute, in_flight"),
        ({"key": "x", "per_minute": 0}, "per_minute must be more than 0"),
        ({"key": "x", "in_flight": 1.5}, "in_flight must be a whole number"),
    ],
)
def test_a_limit_of_nothing_is_refused(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        CallLimit(**options)


async def test_a_death_at_any_point_changes_nothing() -> None:
    """Places and moments are there for who comes again."""
    agent = _agent(*(Call("sign", {"page": page}) for page in range(2)), Call("deliver", {"street": "Elm"}))
    report = await Simulation(Registry([agent]), fresh=RUNNING.clear).crash_everywhere("clerk", "work")
    report.check()
    assert len(report.points) > 10
