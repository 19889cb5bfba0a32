"""What executors record and tell, as whole values: refusals, reports of tools, polls, outcomes of operations."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from baton import Agent, Call, Registry, ScriptedModel, Step, tool
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import RunTool
from baton.engine.state import CallRecord, Job
from baton.engine.step_results import (
    ExtraUsage,
    FollowedUp,
    ModelAnswered,
    ModelFailed,
    ScriptEnded,
    ScriptWaits,
    StepResult,
    Submitted,
    ToolFailed,
    ToolWaits,
)
from baton.engine.transitions import JobStatus
from baton.sdk.memory.keeper import MemoryKeeper
from baton.sdk.models.model import ModelAnswer, ToolSpec
from baton.sdk.planning.plan import PLAN_TOOL
from baton.sdk.records.limits import CodeMode
from baton.sdk.records.redaction import KnownSecrets
from baton.sdk.records.transcript import Failure, HttpResponse, Script, Wanted
from baton.sdk.tools.running_calls import RunningCalls
from baton.sdk.tools.tool import Tool
from baton.store.records.jobs import Snapshot
from baton.worker.executors.continuing import outcome_of
from baton.worker.executors.executor import canonical
from baton.worker.executors.model_call import refused, usage_of
from baton.worker.executors.offloading.calls import after_begin, is_cut_short
from baton.worker.executors.plan_turns import PlannerTurn, static_turn
from baton.worker.executors.server_agents import registry_with_tools
from baton.worker.executors.tool_context import StoreChannel
from baton.worker.executors.tool_run import ResultLimit, ToolRun
from baton_events.values.json_value import Unrecordable
from tests.fakes.clock import FakeClock
from tests.fakes.stored import FakeSessionMemory, FakeStore

JOB = Job("job_1", "s", "acme", "a", 0)
CLAIM = Claim("job_1", "job_1:call:x", "m", "o", 0, 0)
FAULT = Failure("no_plan", "plan first")
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(("given", "kept"), [({"a": 1}, {"a": 1}), ({"a": float("nan")}, {})])
def test_a_refused_call_keeps_what_it_was_given(given: dict[str, Any], kept: dict[str, Any]) -> None:
    assert refused(Call("add", given), FAULT) == Wanted("add", kept, FAULT)


def test_what_is_no_answer_counts_as_one_call() -> None:
    nothing: Any = object()
    assert usage_of(nothing) == ExtraUsage(model_calls=1)


def test_what_needs_no_change_is_recorded_as_it_is() -> None:
    secrets = KnownSecrets(("hidden-value",))
    assert canonical(FollowedUp(), secrets) == FollowedUp()
    told, hidden = ({"role": "summary", "text": text} for text in ("hidden-value", "[redacted]"))
    failed = ModelFailed(FAULT, extra_usage=ExtraUsage(model_calls=1, entries=(told,)))
    expected = ModelFailed(FAULT, extra_usage=ExtraUsage(model_calls=1, entries=(hidden,)))
    assert canonical(failed, secrets) == expected


def test_no_secret_of_the_settings_is_in_what_a_script_is_or_says() -> None:
    """Neither in its text, before it runs, nor in the calls that it waits for, its value or its failure."""
    secrets, code = KnownSecrets(("hidden-value",)), "log('hidden-value')"
    script = Script(CodeMode(), {}, code)
    asked = ModelAnswered("", (Wanted("run_code", {"code": code}, script=script),))
    waits = ScriptWaits((Wanted("log", {"text": "hidden-value"}, replace(FAULT, message="hidden-value")),), script)
    ended = [ScriptEnded('{"value":"hidden-value"}'), ScriptEnded(failure=replace(FAULT, message="hidden-value"))]
    outcomes: list[StepResult] = [asked, waits, *ended]
    for told in outcomes:
        hidden = repr(canonical(told, secrets))
        assert "[redacted]" in hidden
        assert "hidden-value" not in hidden.replace(repr(script), "")  # the waiting script keeps what it runs


class Told:
    """A store that keeps what is appended."""

    def __init__(self) -> None:
        self.parts: list[dict[str, Any]] = []

    async def append(self, _claim: Claim, _sequence: int, parts: Sequence[str]) -> bool:
        self.parts += map(json.loads, parts)
        return True


async def test_a_tool_s_reports_have_its_call_their_number_and_their_words() -> None:
    told: Any = Told()
    channel = StoreChannel(told, FakeClock(), CLAIM, "c", KnownSecrets())
    await channel.info("half", {"rows": 3})
    await channel.progress(0.5, "half")
    info, progress = told.parts
    assert (info["data"]["id"], info["data"]["title"], info["data"]["data"]) == ("info_c-x-1", "half", {"rows": 3})
    assert progress == {"type": "data-progress", "data": {"callId": "c", "fraction": 0.5, "text": "half"}}


@tool
async def look(city: str) -> str:
    """Look."""
    return city


async def test_a_tool_that_is_not_known_may_be_known_to_newer_code() -> None:
    registry = Registry([Agent("a", ScriptedModel(["done"]), tools=[look])])
    runs = ToolRun(
        registry, FakeStore(), MemoryKeeper(FakeSessionMemory(), None), FakeClock(), RunningCalls(5), ResultLimit(100)
    )
    found = await runs(RunTool(JOB, CallRecord("c", 1, 0, "gone", {}), 1), History(), CLAIM)
    assert isinstance(found, ToolFailed)
    assert (found.failure.type, found.failure.retryable) == ("unknown_tool", True)


def test_a_fixed_plan_is_a_turn_without_words_or_a_call_of_a_model() -> None:
    tools: dict[str, Tool] = {"look": look}
    found = static_turn([Step("at", look, {"city": "Ulm"})], tools, History(({"role": "user", "text": "go"},)))
    assert isinstance(found, ModelAnswered)
    assert (found.text, found.plan, found.model_calls, [one.step for one in found.wanted]) == ("", True, 0, ["at"])


def test_a_planner_s_turn_has_its_reflection_and_calls_without_a_plan_are_refused() -> None:
    planner = PlannerTurn(Agent("p", model="demo", mode="plan", tools=[look]), {"look": look}, (), 1, 9)
    steps = [{"name": "at", "tool": "look", "arguments": {"city": "Ulm"}}]
    planned = planner.answered(ModelAnswer("", (Call(PLAN_TOOL, {"steps": steps, "reflection": "as far as Ulm"}),)))
    assert isinstance(planned, ModelAnswered)
    assert (planned.plan, planned.reflection) == (True, "as far as Ulm")
    found = planner.answered(ModelAnswer("", (Call("look", {"city": "Ulm"}),)))
    assert isinstance(found, ModelAnswered)
    assert [(one.arguments, one.fault and one.fault.type) for one in found.wanted] == [({"city": "Ulm"}, "no_plan")]


def test_a_server_s_tools_are_told_as_an_agent_s_own() -> None:
    agent = Agent("a", ScriptedModel(["done"]))
    assert registry_with_tools(Registry([agent]), agent, [look]).specs_of("a") == (
        ToolSpec("look", "Look.", look.parameters),
    )


def test_the_place_of_what_a_new_job_cannot_be_given_is_named() -> None:
    child = Submitted(JOB, {"text": "x", "data": float("nan")})
    with pytest.raises(Unrecordable, match=r"^start.data: nan"):
        canonical(ToolWaits(0, "{}", child=child), KnownSecrets())


@pytest.mark.parametrize(("kind", "status"), [("expired", "timed_out"), ("boom", "failed")])
def test_an_operation_that_failed_is_told_by_its_error(kind: str, status: str) -> None:
    ended = Job("job_1", "s", "acme", "a", 0, status=JobStatus.FAILED, error=Failure(kind, "why"))
    call = CallRecord("c", 1, 0, "look", {})
    assert outcome_of(Snapshot(ended, {}, calls=(call,))) == {
        "status": status,
        "error": {"type": kind, "message": "why"},
    }


@pytest.mark.parametrize(
    ("found", "status", "message"),
    [
        ({"status": "failed", "error": {"code": "server_error", "message": "down"}}, 500, "down"),
        ({"status": "failed", "error": {"code": "rate_limit_exceeded"}}, 429, "it failed"),
        ({"status": "failed"}, 400, "it failed"),
        ({"status": "cancelled"}, 409, "the response was cancelled"),
    ],
)
def test_what_failed_at_once_is_an_answer_that_failed(found: Any, status: int, message: str) -> None:
    response = HttpResponse(1, 200, {"x-request-id": "r"}, json.dumps(found).encode())
    body = json.dumps({"error": {"message": message}}).encode()
    assert after_begin(response, 0, 60) == HttpResponse(1, status, JSON, body)


@pytest.mark.parametrize(
    ("status", "headers", "body", "is_cut"),
    [
        (200, JSON, b"{}", False),
        (200, JSON, b'{"a":', True),
        (200, {"content-length": "3"}, b"ab", True),
        (200, {"content-length": "2"}, b"ab", False),
        (200, {"content-type": "text/plain"}, b"{", False),
        (500, JSON, b"{", False),
    ],
)
def test_what_the_queue_brings_is_cut_where_a_part_is_missing(
    status: int, headers: dict[str, str], body: bytes, is_cut: bool
) -> None:
    assert is_cut_short(HttpResponse(1, status, headers, body)) is is_cut
