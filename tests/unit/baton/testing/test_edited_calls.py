"""Calls whose arguments a person has edited: the model learns what ran, or it would report what it had asked for."""

from collections.abc import Callable
from typing import Any

import pytest

from baton import Agent, Call, Registry, ToolError, tool
from baton.sdk.agents.history import DropOldest, KeepAll
from baton.sdk.models.model import Message, ModelAnswer, ModelRequest, ToolMessage, UserMessage
from baton.testing import Approve, Reject, Simulation


@tool(requires_approval=True)
def pay(euros: int, token: str = "") -> str:
    """Pay."""
    if euros > 500:
        raise ToolError("too much")
    return "paid"


class Asking:
    """A model that makes the calls at once, and keeps what it is sent."""

    name, reads_history = "asking", True

    def __init__(self, *calls: Call) -> None:
        self.calls, self.sent = calls, list[tuple[Message, ...]]()

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Call first, then answer."""
        self.sent.append(request.messages)
        return ModelAnswer(calls=self.calls) if len(self.sent) == 1 else ModelAnswer(text="done")


async def notes(decide: Callable[[Any], Any], *calls: Call, history: Any = None) -> tuple[list[str], list[Message]]:
    """Return what the model is told beside the results, and these."""
    model = Asking(*calls)
    agent = Agent(name="clerk", model=model, tools=[pay], history=history or KeepAll())
    run = await Simulation(Registry(agents=[agent])).run("clerk", "Pay.", decide=decide)
    assert run.status == "completed"
    told = [one.text for one in model.sent[-1] if isinstance(one, UserMessage) and one.note]
    return told, [one for one in model.sent[-1] if isinstance(one, ToolMessage)]


@pytest.mark.parametrize("history", [KeepAll(), DropOldest(max_tokens=2_000)], ids=lambda one: type(one).__name__)
async def test_the_model_is_told_what_ran(history: Any) -> None:
    decide = lambda checkpoint: Approve({"euros": checkpoint.arguments["euros"] + 1})  # noqa: E731
    told, results = await notes(decide, Call("pay", {"euros": 40}), Call("pay", {"euros": 50}), history=history)
    assert told == [f'[A person changed a call of pay: it ran with {{"euros":{euros}}}]' for euros in (41, 51)]
    assert [result.content for result in results if isinstance(result, ToolMessage)] == ["paid", "paid"]


async def test_it_is_told_so_of_a_call_that_failed() -> None:
    told, [result] = await notes(lambda _: Approve({"euros": 900}), Call("pay", {"euros": 40}))
    assert told == ['[A person changed a call of pay: it ran with {"euros":900}]']
    assert isinstance(result, ToolMessage)
    assert result.is_error


@pytest.mark.parametrize(
    "decision", [Approve(), Approve({"euros": 40}), Approve({"euros": 40, "token": "[redacted]"}), Reject("no")]
)
async def test_nothing_is_told_where_nothing_was_changed(decision: Any) -> None:
    told, _ = await notes(
        lambda _: decision, Call("pay", {"euros": 40, "token": "hush"} if "token" in str(decision) else {"euros": 40})
    )
    assert told == []


async def test_no_secret_is_told() -> None:
    told, _ = await notes(
        lambda _: Approve({"euros": 5, "token": "[redacted]"}), Call("pay", {"euros": 40, "token": "hush"})
    )
    assert told == ['[A person changed a call of pay: it ran with {"euros":5,"token":"[redacted]"}]']
