"""A secret that is planted everywhere in a job is found nowhere afterwards: store, parts, JSON, messages, logs."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from baton import (
    Agent,
    Call,
    Pending,
    Registry,
    ScriptedModel,
    Step,
    ToolContext,
    ToolError,
    result_of,
    tool,
    wait_for_event,
    workflow,
)
from baton.observability.logs import LOGGERS, guard_logs
from baton.sdk.models.model import ModelAnswer, ModelError, ModelRequest
from baton.testing import Simulation
from baton.worker.runtime.job_view import job_view
from baton_events.schema import EventType, event_type
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.kit.stage import SETTINGS, Stage
from tests.unit.baton.server.api.client import ACME, api_of, with_keys

NAMED = "named-in-the-arguments"
KNOWN = "known-from-the-settings"
FOREIGN = "key-of-a-model-provider"
ALL = (NAMED, KNOWN, FOREIGN)
SETTINGS_WITH_SECRETS = replace(SETTINGS, redis_token=KNOWN, foreign_keys=(FOREIGN,))


class Used:
    def __init__(self) -> None:
        self.passwords: list[str] = []
        self.notes: list[str] = []

    def registry(self, *turns: Any) -> Registry:
        @tool(retries=1, retry_delay_seconds=0.1)
        async def log_in(password: str, note: str, context: ToolContext, how: str = "") -> Any:
            self.passwords.append(password)
            self.notes.append(note)
            everything = f"{password} {KNOWN} {FOREIGN}"
            await context.info(everything, {"session_token": "x" * 10, "said": everything})
            await context.progress(0.5, everything)
            match how:
                case "error":
                    raise ToolError(everything, retryable=True, type=f"Failed {KNOWN}")
                case "crash":
                    raise RuntimeError(everything)
                case "wait":
                    return Pending(timeout_seconds=1, otherwise={"said": everything, "token": NAMED})
                case _:
                    return {"token": NAMED, "said": everything, "nested": [{"api_key": FOREIGN}], "fine": "kept"}

        return Registry([Agent(name="leaky", model=ScriptedModel(list(turns)), tools=[log_in])])


@pytest.fixture
def guarded(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    caplog.set_level(logging.DEBUG, logger="baton")
    guard_logs(Stage(settings=SETTINGS_WITH_SECRETS).container.secrets)
    yield caplog
    for name in LOGGERS:
        logging.getLogger(name).filters.clear()


async def shown_of(stage: Stage, logs: pytest.LogCaptureFixture) -> str:
    snapshot = await stage.snapshot()
    view = job_view(snapshot, stage.clock.now_ms())
    parts = (await stage.reader.parts("job_1", 0)).parts
    messages = [repr(message) for message in stage.outgoing()]
    return "\n".join([repr(stage.store.trees), json.dumps(view), *parts, *messages, logs.text])


def calls(*how: str) -> list[Call]:
    return [Call("log_in", {"password": NAMED, "note": f"use {KNOWN}", "how": kind}) for kind in how]


async def test_no_secret_is_left_of_a_job_in_store_parts_json_messages_and_logs(
    guarded: pytest.LogCaptureFixture,
) -> None:
    used = Used()
    bad = Call("log_in", {"password": [NAMED], "note": "x"})
    unknown = Call("no_such_tool", {"password": NAMED})
    registry = used.registry(calls("", "error", "crash", "wait"), [bad, unknown], f"It is {KNOWN} and {FOREIGN}.")
    stage = Stage(settings=SETTINGS_WITH_SECRETS, registry=registry)
    await stage.played("leaky")
    snapshot = await stage.snapshot()
    assert snapshot.job.status == "completed", snapshot.job.error
    shown = await shown_of(stage, guarded)
    assert [secret for secret in ALL if secret in shown] == []
    assert "x" * 10 not in shown
    assert "kept" in shown
    assert len(guarded.records) > 5


async def test_the_tool_gets_the_real_arguments_on_every_attempt_but_no_settings_values(
    guarded: pytest.LogCaptureFixture,
) -> None:
    """A password is for the tool; a token of this installation in a model's mouth is a leak."""
    used = Used()
    stage = Stage(settings=SETTINGS_WITH_SECRETS, registry=used.registry(calls("error"), "done"))
    await stage.played("leaky")
    assert used.passwords == [NAMED, NAMED]
    assert used.notes == ["use [redacted]"] * 2


async def test_an_open_call_is_shown_without_its_secrets(guarded: pytest.LogCaptureFixture) -> None:
    """Only its record in the store has them, for the tool's sake."""
    stage = Stage(settings=SETTINGS_WITH_SECRETS, registry=Used().registry(calls(""), "done"))
    await stage.deliver(await stage.submit("leaky"), "m1")
    assert event_type(stage.events()[-1]) is EventType.TOOL_CALL
    (record,) = await stage.calls()
    assert record.arguments["password"] == NAMED
    view = job_view(await stage.snapshot(), stage.clock.now_ms())
    assert view["toolCalls"][0]["arguments"]["password"] == "[redacted]"
    tree = stage.store.tree("job_1")
    assert NAMED not in repr((tree.parts, tree.transcript, view, stage.outgoing()))


async def test_the_model_sees_its_own_calls_redacted(guarded: pytest.LogCaptureFixture) -> None:
    """So it knows what it did, and cannot repeat the secret."""

    def answer(_request: ModelRequest) -> ModelAnswer:
        if len(model.requests) == 1:
            return ModelAnswer(calls=tuple(calls("")))
        raise ModelError(f"401 for {FOREIGN}", retryable=False)

    model = Listening(answer)
    tools = Used().registry("done").agent("leaky").tools
    registry = Registry([Agent(name="leaky", model=model, tools=tools)])
    stage = Stage(settings=SETTINGS_WITH_SECRETS, registry=registry)
    await stage.played("leaky")
    shown = repr(model.found[1])
    assert "log_in" in shown
    assert "[redacted]" in shown
    assert [secret for secret in ALL if secret in shown] == []
    assert (await stage.snapshot()).job.error is not None
    assert FOREIGN not in await shown_of(stage, guarded)


HELD = {"authorization": "hold_4711", "cents": 5}
SHOWN = HELD | {"authorization": "[redacted]"}


@tool
def hold() -> dict[str, Any]:
    return HELD


@tool
async def bank() -> Pending:
    return Pending(timeout_seconds=100)


@tool
async def forgetful() -> Pending:
    return Pending(timeout_seconds=5, otherwise=HELD, operation=False)


@workflow
async def held_below() -> dict[str, Any]:
    return HELD


BELOW = held_below.tool
assert BELOW is not None


@pytest.mark.parametrize("first", [hold, bank, forgetful, BELOW])
@pytest.mark.parametrize("path", [["authorization"], []])
async def test_a_fixed_plan_passes_on_what_a_step_has_returned(first: Any, path: list[str]) -> None:
    """A plan of a model passes on no secret: it is redacted for the model, too."""
    taken = list[Any]()

    @tool
    def take(value: Any) -> str:
        taken.append(value)
        return "taken"

    def at(value: Any) -> Any:
        return value["authorization"] if path else value

    planned = {"value": {"$resultOf": {"step": "a", "path": path}}}
    made = [{"name": "a", "tool": first.name}, {"name": "b", "tool": "take", "arguments": planned, "depends_on": ["a"]}]
    model = ScriptedModel([[Call("make_plan", {"steps": made})], "done"])
    fixed = [Step("a", first), Step("b", take, {"value": at(result_of("a"))}, depends_on=["a"])]
    agents = [Agent("fixed", plan=fixed), Agent("plans", model, mode="plan", tools=[first, take])]
    for agent in agents:
        ways = {"success": True, "result": HELD}
        simulation = Simulation(Registry(agents, workflows=[held_below]))
        run = await simulation.run(agent.name, "go", outcomes=lambda *_: ways)  # noqa: B023 - awaited
        assert (run.status, run.calls[0]["result"]) == ("completed", SHOWN)
    assert taken == [at(HELD), at(SHOWN)]


@workflow
async def below(held: dict[str, Any]) -> str:
    return f"held: {held['authorization']}"


@workflow
async def awaits(authorization: str, cents: int, key: str | None) -> list[str]:
    """Pass on what was given, what a step gave in the end, and what an event brings."""
    own = {"authorization": authorization, "cents": cents}
    given: list[Any] = [await wait_for_event("held", 100, key), await forgetful(), own]
    return [await below(one) for one in given]


@pytest.mark.parametrize(("comes_first", "key"), [(True, "k"), (False, "k"), (False, None)])
async def test_code_gets_events_and_input_as_they_are_and_a_model_does_not(
    *, comes_first: bool, key: str | None
) -> None:
    """An event that is awaited ends the wait, one that came before is kept for it; without a key it is a job's own."""
    asks = Call("wait_for_event", {"name": "held", "timeout_seconds": 100, "key": key})
    agent = Agent("waits", ScriptedModel([[asks], "done"]), tools=[wait_for_event])
    registry = Registry([agent], workflows=[awaits, below])
    async with api_of(Stage(registry=registry, settings=with_keys())) as api:
        ids = list[str]()
        for sends in (comes_first, not comes_first):
            if sends:
                for path in ["/api/events"] if key else [f"/api/agent-jobs/{one}/events" for one in ids]:
                    event = {"name": "held", "data": HELD} | ({"key": key} if key else {})
                    assert (await api.request("POST", path, ACME, json=event)).status_code == 202
            else:
                given = HELD | {"key": key}
                ids = [(await api.submitted(jobType=name, inputData=given))["id"] for name in ("waits", "awaits")]
            await api.stage.run(within_seconds=10)
        waited, awaited = [await api.read(one) for one in ids]
        assert waited["toolCalls"][0]["result"] == awaited["toolCalls"][0]["result"] == SHOWN
        assert awaited["result"]["output"] == ["held: hold_4711"] * 3
        assert "hold_4711" not in repr(api.stage.store.tree(ids[0]).results)
