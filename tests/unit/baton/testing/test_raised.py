"""What a test's own functions raise in a simulation fails the test: it is no fate of the job."""

from collections.abc import Callable
from typing import Any

import pytest

from baton import Agent, Call, Pending, Registry, ScriptedModel, tool
from baton.testing import Approve, Checkpoint, Simulation


class TellingError(BaseException):
    """An end that is no Exception, as `pytest.fail` raises."""


@tool(requires_approval=True)
def pay(euros: int) -> str:
    return f"paid {euros}"


@tool
def commission() -> Pending:
    """Let somebody else work."""
    return Pending(timeout_seconds=3600)


class _Unprintable:
    def __str__(self) -> str:
        raise AssertionError("mine")


@tool
def note() -> str:
    """Note an effect under a key without a text."""
    Simulation.effect(_Unprintable())  # type: ignore[arg-type]
    return "noted"


def _asserts(*_: object) -> Any:
    raise AssertionError("mine")


def _ends(*_: object) -> Any:
    raise TellingError("mine")


CASES: list[tuple[str, dict[str, Any]]] = [
    ("pay", {"decide": _asserts}),
    ("pay", {"decide": _ends}),
    ("commission", {"outcomes": _asserts}),
    ("commission", {"outcomes": _ends}),
    ("note", {}),
]


def simulation(name: str, fresh: Callable[[], object] | None = None) -> Simulation:
    call = Call(name, {"euros": 4000} if name == "pay" else {})
    model = ScriptedModel([[call], "done"])
    return Simulation(Registry([Agent("agent", model=model, tools=[pay, commission, note])]), fresh=fresh)


@pytest.mark.parametrize(("name", "outside"), CASES)
async def test_what_the_tests_functions_raise_is_raised(name: str, outside: dict[str, Any]) -> None:
    with pytest.raises((AssertionError, TellingError), match="mine"):
        await simulation(name).run("agent", "go", **outside)
    with pytest.raises((AssertionError, TellingError), match="mine"):
        await simulation(name).crash_everywhere("agent", "go", **outside)


async def test_an_assertion_that_fails_only_after_a_crash_is_raised() -> None:
    """The run without a crash asks once; so does each other one, and the last one's answer is wrong."""
    asked = list[Checkpoint]()

    def decide(checkpoint: Checkpoint) -> Approve:
        asked.append(checkpoint)
        assert len(asked) < 5, "one more question than expected"
        return Approve()

    with pytest.raises(AssertionError, match="one more question"):
        await simulation("pay").crash_everywhere("agent", "go", decide=decide)


async def test_what_empties_the_outside_is_run_and_may_fail() -> None:
    async def later() -> None:
        raise AssertionError("never run")

    with pytest.raises(AssertionError, match="mine"):
        await simulation("pay", _asserts).run("agent", "go")
    with pytest.raises(TypeError, match="give a plain function"):
        await simulation("pay", later).run("agent", "go")


async def _later(_: object) -> Any:
    raise AssertionError("never run")


@pytest.mark.parametrize(
    ("name", "outside", "shown"),
    [
        ("pay", {"decide": _later}, "decide was not run, since it is asynchronous: give a plain function"),
        ("commission", {"outcomes": _later}, "outcomes was not run, since it is asynchronous"),
        ("pay", {"decide": lambda _: None}, "decide returned None for 'pay'"),
        ("pay", {"decide": lambda _: Approve({"euros": "many"})}, "euros"),
        ("commission", {"outcomes": lambda _: True}, "outcomes returned True for 'commission'"),
        ("commission", {"outcomes": lambda _: {"succes": True}}, "succes"),
    ],
)
async def test_an_answer_that_does_not_fit_is_raised(name: str, outside: dict[str, Any], shown: str) -> None:
    with pytest.raises(Exception, match=shown):
        await simulation(name).run("agent", "go", **outside)


async def test_a_submission_that_is_refused_is_raised() -> None:
    with pytest.raises(ValueError, match="sessionId"):
        await simulation("pay").run("agent", "go", session="x" * 1000)
