"""What was recorded is played back without a difference, without running a tool, and without a network."""

import socket
from typing import Any

import pytest
from pydantic import BaseModel

from baton import Agent, Call, Registry, ScriptedModel
from baton_events.schema import Completion
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton_local.replay.recorder import difference, recorded
from tests.unit.baton_local.replay.sample_agents import Tools, registry_of


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **_: Any) -> Any:
        raise AssertionError(f"a replay opens no connection: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("agent", ["loop", "boss", "typed", "mended", "endless", "overloaded"])
async def test_a_job_plays_as_it_ran(agent: str) -> None:
    """Parallel calls, retries, faults, a job below, typed answers, a limit, a model that failed: no difference."""
    document = await recorded(registry_of(), agent)
    tools = Tools()
    assert difference(document, registry_of(tools)) == ""
    assert tools.runs == []


async def complete(stage: Stage, job_id: str) -> None:
    for call in await stage.calls(job_id):
        if call.status == "waiting":
            await stage.container.commands.signal(
                (await stage.snapshot(job_id)).job,
                Completion(call_id=call.id, outcome={"ok": "yes"}),
            )


async def test_a_call_that_waits_is_given_what_it_was_given() -> None:
    document = await recorded(registry_of(), "waiter", complete)
    assert document["job"]["toolCalls"][0]["result"] == "yes"
    assert difference(document, registry_of()) == ""


async def test_the_order_in_which_calls_of_a_turn_ran_is_no_difference() -> None:
    document = await recorded(registry_of(), "loop")
    first, second = document["job"]["toolCalls"][:2]
    first["attempts"], second["attempts"] = second["attempts"], first["attempts"]
    document["job"]["toolCalls"].reverse()
    assert difference(document, registry_of()) == ""


async def test_a_providers_model_is_not_asked() -> None:
    document = await recorded(registry_of(), "loop")
    assert difference(document, registry_of(model="openai:gpt-5-mini")) == ""


async def test_an_answer_that_names_a_secret_is_the_same_answer() -> None:
    class Login(BaseModel):
        token: str

    model = ScriptedModel([[Call("final_result", {"token": "of-a-parking-meter"})]])
    registry = Registry([Agent(name="names", model=model, output_type=Login)])
    document = await recorded(registry, "names")
    assert document["job"]["result"]["output"] == {"token": "of-a-parking-meter"}
    assert difference(document, registry) == ""
