"""What was recorded is played back without a difference, without running a tool, and without a network."""

import socket
from typing import Any

import pytest

from events.schema import Completion
from tests.unit.functions.stage import Stage
from tests.unit.infra.replay.recorder import difference, recorded
from tests.unit.infra.replay.sample_agents import Tools, registry_of


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connects or looks a name up fails the test."""

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
    """Somebody answers, once it is waited for."""
    for call in await stage.calls(job_id):
        if call.status == "waiting":
            await stage.container.acceptance.outside(
                (await stage.snapshot(job_id)).job,
                Completion(call_id=call.id, outcome={"ok": "yes"}),
            )


async def test_a_call_that_waits_is_told_what_it_was_told() -> None:
    """Whoever it was that finished it."""
    document = await recorded(registry_of(), "waiter", complete)
    assert document["job"]["toolCalls"][0]["result"] == "yes"
    assert difference(document, registry_of()) == ""
