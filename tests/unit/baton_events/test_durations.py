"""Every place where a program gives a duration takes a number of seconds or a `timedelta`, and refuses what is none."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, assert_type

import msgspec
import pytest

from baton import Agent, CodeMode, Limits, Pending, Registry, ScriptedModel, approval, on, sleep, tool, wait_for_event
from baton import workflow as made_workflow
from baton.client import BatonClient
from baton.client.requests import seconds_sent
from baton.mcp import McpServer
from baton.sdk.models.model import ModelError
from baton.sdk.tools.pending import RunAgain
from baton.sdk.tools.tool_error import ToolError
from baton.testing import Simulation
from baton.tools import http_fetch
from baton.worker.commands.once import OnceFor
from baton_events.app_event import delay_ms
from baton_events.values.durations import plain_seconds


def _tool(**options: Any) -> Any:
    return tool(**options)(_nothing)


async def _nothing() -> None:
    """Do nothing."""


async def handle(event: Any, ctx: Any) -> None:
    """Do nothing."""


def _handler(**options: Any) -> Any:
    return on("a.b", **options)(handle)


def _agent(**options: Any) -> Agent:
    return Agent("a", ScriptedModel(["done"]), **options)


def _client(**options: Any) -> Any:
    with BatonClient("http://x", **options) as client:
        requests: Any = client._calls._requests
        return requests._retry_seconds if "retry_seconds" in options else options["timeout_seconds"]


URL = "https://x.example/mcp"
# By the name of the argument: what becomes of the duration.
PLACES: list[tuple[str, Callable[[Any], Any]]] = [
    ("timeout_seconds", lambda given: _tool(timeout_seconds=given).timeout_seconds),
    ("retry_delay_seconds", lambda given: _tool(retry_delay_seconds=given).retry_delay_seconds),
    ("seconds", lambda given: _tool(approval={"seconds": given}).approval["seconds"]),
    ("escalate_after_seconds", lambda given: _tool(approval={"escalate_after_seconds": given}).approval.popitem()[1]),
    ("timeout_seconds", lambda given: _handler(timeout_seconds=given).agent.plan[0].tool.timeout_seconds),
    ("debounce_seconds", lambda given: _handler(debounce_seconds=given).debounce_seconds),
    ("batch", lambda given: _handler(batch=(2, given)).batch[1]),
    ("timeout_seconds", lambda given: Pending(timeout_seconds=given).timeout_seconds),
    ("after_seconds", lambda given: RunAgain(memo={}, after_seconds=given).after_seconds),
    ("timeout_seconds", lambda given: RunAgain(memo={}, timeout_seconds=given).timeout_seconds),
    ("wall_seconds", lambda given: Limits(wall_seconds=given).wall_seconds),
    ("seconds", lambda given: CodeMode(seconds=given).seconds),
    ("cache_seconds", lambda given: _agent(cache_seconds=given).cache_seconds),
    ("timeout", lambda given: _agent(model_settings={"timeout": given}).model_timeout_seconds),
    ("timeout_seconds", lambda given: McpServer(URL, timeout_seconds=given).timeout_seconds),
    ("list_seconds", lambda given: McpServer(URL, list_seconds=given).list_seconds),
    ("timeout_seconds", lambda given: http_fetch(["*"], timeout_seconds=given).timeout_seconds - 1),
    ("pause_seconds", lambda given: ScriptedModel(["a"], pause_seconds=given)._pause_seconds),
    ("delay_seconds", lambda given: delay_ms(given) // 1000),
    ("once_for_seconds", lambda given: OnceFor("a", given).seconds),
    ("expires_in_seconds", lambda given: seconds_sent(given, "expires_in_seconds")),
    ("retry_seconds", lambda given: _client(retry_seconds=given)),
]
IDS = [f"{at} {name}" for at, (name, _) in enumerate(PLACES)]
ODD = (-1, -0.5, float("nan"), float("inf"), True, "5", [5], timedelta(days=-1), 1e300, 10**400)


@pytest.mark.parametrize(("name", "taken"), PLACES, ids=IDS)
def test_seconds_and_a_timedelta_are_taken_and_odd_ones_named(name: str, taken: Callable[[Any], Any]) -> None:
    assert taken(90) == 90
    found = taken(timedelta(minutes=1.5))
    assert (found, isinstance(found, int | float)) == (90, True)
    for odd in ODD:
        with pytest.raises((TypeError, ValueError), match=name):
            taken(odd)


def test_a_client_takes_its_time_as_a_timedelta() -> None:
    assert _client(timeout_seconds=timedelta(seconds=5))
    for odd in (*ODD, 0):
        with pytest.raises(ValueError, match="timeout_seconds"):
            _client(timeout_seconds=odd)


def test_what_is_read_is_a_number_for_type_checkers_too() -> None:
    """They take a `timedelta`, as the arguments here show; what is stored is a number."""
    hour = timedelta(hours=1)
    limits, script, server = Limits(wall_seconds=hour), CodeMode(seconds=hour), McpServer(URL, list_seconds=hour)
    assert assert_type(limits.wall_seconds, int) == assert_type(script.seconds, float) == 3600
    assert assert_type(_agent().cache_seconds, int) == 0
    assert assert_type(server.list_seconds, int) == 3600
    assert assert_type(McpServer(URL, timeout_seconds=hour).timeout_seconds, float) == 3600
    assert assert_type(Agent("a", cache_seconds=hour).cache_seconds, int) == 3600
    for error in (ToolError("a", retry_after_seconds=hour), ModelError("a", retryable=True, retry_after_seconds=hour)):
        assert plain_seconds(error.retry_after_seconds) == 3600
    with pytest.raises(msgspec.ValidationError, match="wall_seconds"):
        msgspec.json.decode('{"wall_seconds": "PT1H"}', type=Limits)


@made_workflow
async def waiting(longest: int) -> dict[str, Any]:
    """Wait."""
    from datetime import timedelta  # noqa: PLC0415 - a workflow's own

    slept = await sleep(timedelta(hours=longest, minutes=30))
    event = await wait_for_event("never.comes", timeout_seconds=timedelta(days=40))
    decision = await approval("Go on?", timeout_seconds=timedelta(minutes=5))
    return {"slept": slept, "event": event, "late": decision.timed_out, "again": await sleep(0.5)}


async def test_a_workflow_waits_for_timedeltas() -> None:
    run = await Simulation(Registry(workflows=[waiting])).run("waiting", "", input_data={"longest": 1})
    assert (run.result or {})["output"] == {
        "slept": {"sleptSeconds": 5400}, "event": {"timedOut": True}, "late": True, "again": {"sleptSeconds": 0.5}
    }  # fmt: skip
    assert run.virtual_seconds >= 5400 + 40 * 86_400 + 300


@pytest.mark.parametrize("odd", ["PX", "soon", True, float("nan"), 1e300])
async def test_a_wait_that_is_none_is_the_model_s_fault(odd: Any) -> None:
    with pytest.raises(ValueError, match="seconds"):
        sleep.check({"seconds": odd})
