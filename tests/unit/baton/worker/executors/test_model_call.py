"""Calls of models: their time, the cache before them, what the model is told, and what follows from its answer."""

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel
from baton.engine.state import Job
from baton.engine.step_results import ModelAnswered, ModelFailed
from baton.sdk.agents.output import FINAL_TOOL, OutputType
from baton.sdk.agents.runner import JobInfo, Recorded, RunnerAnswer
from baton.sdk.models.model import ModelAnswer, ModelMessage, ModelRequest, PastCall, ToolMessage, UserMessage
from baton.sdk.records.redaction import KnownSecrets
from baton.testing import Simulation
from baton.worker.executors.executor import OutcomeDoor
from baton.worker.executors.model_call import answered, calls_of, runner_turn
from baton.worker.executors.model_turn import ModelTurn, messages
from tests.fakes.stored import FakeModelCache
from tests.unit.baton.kit.listening import Listening

REQUEST = ModelRequest("", (UserMessage("do it"),), (), 1)


async def hang(_request: ModelRequest) -> ModelAnswer:
    await asyncio.Event().wait()
    raise AssertionError


def agent_with(cache_seconds: int = 0, timeout_seconds: float = 120) -> Agent:
    model = ScriptedModel(["done"])
    return Agent("a", model=model, cache_seconds=cache_seconds, model_settings={"timeout": timeout_seconds})


@pytest.mark.parametrize(
    ("work_limit_seconds", "timeout_seconds", "share"), [(0.01, 120, 1.0), (120, 0.01, 1.0), (120, 120, 0.0001)]
)
async def test_a_call_ends_with_the_first_of_its_limits(
    work_limit_seconds: float, timeout_seconds: float, share: float
) -> None:
    calls = calls_of(agent_with(timeout_seconds=timeout_seconds), "acme", work_limit_seconds, None)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await calls.call(Listening(hang), REQUEST, share)


async def test_an_agent_with_cache_reads_it_first_and_fills_it_post_commit() -> None:
    cache = FakeModelCache()
    model = ScriptedModel([ModelAnswer("done", (), 5, 5, 0.1)])
    await calls_of(agent_with(), "acme", 10, cache).call(model, REQUEST)
    assert cache.connection.sent == []  # an agent without cache asks for none
    calls = calls_of(agent_with(cache_seconds=60), "acme", 10, cache)
    assert await calls.call(model, REQUEST) == ModelAnswer("done", (), 5, 5, 0.1)
    assert cache.connection.sent == ["GET", "SET"]
    assert await calls.call(model, REQUEST) == ModelAnswer("done", (), 5, 5, 0.1, cached=True)
    assert cache.connection.sent == ["GET", "SET", "GET"]


def test_the_model_is_given_results_and_errors_of_its_calls() -> None:
    history = History(
        (
            {"role": "user", "text": "add", "data": {"n": 1}},
            {
                "role": "model",
                "turn": 1,
                "text": "t",
                "calls": [
                    {"id": "c0", "tool": "add", "arguments": {"a": 1}},
                    {"id": "c1", "tool": "add", "arguments": {"a": 2}},
                    {"id": "c2", "tool": "no", "arguments": {}, "error": {"type": "unknown_tool", "message": "no"}},
                ],
            },
        ),
        {"c0": {"ok": 2}, "c1": {"error": {"type": "E", "message": "m"}}},
    )
    calls = (PastCall("c0", "add", {"a": 1}), PastCall("c1", "add", {"a": 2}), PastCall("c2", "no", {}))
    assert messages(history) == (
        UserMessage("add", {"n": 1}),
        ModelMessage("t", calls),
        ToolMessage("c0", "add", 2),
        ToolMessage("c1", "add", {"type": "E", "message": "m"}, is_error=True),
        ToolMessage("c2", "no", {"type": "unknown_tool", "message": "no"}, is_error=True),
    )


CLAIM = Claim("job_1", "leg", "m1", "owner", 0, 1_000)
TURN = CallModel(Job("job_1", "s", "acme", "a", 0), 1, 1)


async def test_the_model_is_asked_as_the_agent_says() -> None:
    model = Listening(lambda _: ModelAnswer('{"name":"Troy","people":3}'))
    agent = Agent("a", model=model, model_settings={"seed": 7, "timeout": 30}, output_type=City)
    step_result = await ModelTurn(Registry([agent]), 120)(TURN, History(), CLAIM)
    assert isinstance(step_result, ModelAnswered)
    assert step_result.output == TROY
    (request,) = model.requests
    assert (request.settings, request.output) == ({"seed": 7}, agent.output and agent.output.spec)
    assert request.time_limit_seconds == 30


async def test_what_the_provider_wants_to_see_again_is_reported() -> None:
    entry = {"role": "model", "v": 1, "turn": 1, "text": "t", "calls": [], "provider": {"kind": "x"}}
    assert messages(History((entry,))) == (ModelMessage("t", (), {"kind": "x"}),)


async def test_a_transcript_of_newer_code_is_left_to_newer_code() -> None:
    """In the middle of a deploy; the turn is tried again."""
    model = Listening()
    turn = ModelTurn(Registry([Agent("a", model=model)]), 120)
    step_result = await turn(TURN, History(({"role": "user", "v": 99, "text": "?"},)), CLAIM)
    assert isinstance(step_result, ModelFailed)
    assert (step_result.failure.type, step_result.failure.retryable, model.requests) == ("newer_transcript", True, [])


@tool
def add(a: int, b: int = 1) -> int:
    return a + b


@tool
def echo(a: object) -> object:
    return a


class City(BaseModel):
    name: str
    people: int


CITY = OutputType("a", City)
TROY = {"name": "Troy", "people": 3}


def follows(answer: ModelAnswer, output: OutputType | None = None) -> ModelAnswered:
    """What follows from an answer; `output`: of an agent that has an output type."""
    found = answered(answer, {"add": add}, output)
    assert isinstance(found, ModelAnswered)
    return found


def with_output(*calls: Call, text: str = "") -> ModelAnswered:
    return follows(ModelAnswer(text, calls, provider={"kind": "x"}), CITY)


def test_a_wanted_call_that_can_run_has_the_arguments_that_the_model_sent() -> None:
    found = follows(ModelAnswer("I add", (Call("add", {"a": "2"}),), 5, 7))
    assert (found.text, found.wanted[0].arguments, found.wanted[0].fault) == ("I add", {"a": "2"}, None)
    assert (found.input_tokens, found.output_tokens) == (5, 7)


@pytest.mark.parametrize(
    ("call", "fault", "kept"),
    [
        pytest.param(Call("sub", {"a": 1}), "unknown_tool", {"a": 1}, id="an unknown tool"),
        pytest.param(Call(FINAL_TOOL, {}), "unknown_tool", {}, id="a final tool that nobody offered"),
        pytest.param(Call("add", {"a": "x"}), "invalid_arguments", {"a": "x"}, id="arguments that do not fit"),
        pytest.param(Call("add", {"a": float("nan")}), "invalid_arguments", {}, id="no JSON, which is not kept"),
        pytest.param(Call("add", {"a": "half \ud800"}), "invalid_arguments", {"a": "half \ufffd"}, id="mended"),
        pytest.param(Call("unknown", {"a": float("inf")}), "invalid_arguments", {}, id="which nothing else checks"),
        pytest.param(Call("add", {"a": "x" * 300_000}), "arguments_too_large", {}, id="too large to be kept"),
    ],
)
def test_what_cannot_run_goes_back_to_the_model(call: Call, fault: str, kept: dict[str, object]) -> None:
    (wanted,) = follows(ModelAnswer(calls=(call,))).wanted
    assert wanted.fault is not None
    assert (wanted.fault.type, wanted.arguments) == (fault, kept)


def test_a_call_gets_text_by_the_rules_of_every_door_and_is_told_the_place_of_no_number() -> None:
    """Halves of a pair that meet are joined, and a lone one is replaced; NaN is refused by its place."""
    sent = (Call("echo", {"a": {"\udc00": ["\ud83d" + "\ude00"]}}), Call("echo", {"a": {"b": [1, float("nan")]}}))
    found = answered(ModelAnswer(calls=sent), {"echo": echo}, None)
    assert isinstance(found, ModelAnswered)
    mended, refused = found.wanted
    assert (mended.fault, mended.arguments) == (None, {"a": {"\ufffd": ["\U0001f600"]}})
    assert refused.fault
    assert refused.fault.message.startswith("arguments.a.b[1]: nan is no number in JSON")


def test_what_no_store_can_hold_is_mended_or_left_out() -> None:
    """Half a surrogate pair. What the provider wants to see again is kept otherwise."""
    assert follows(ModelAnswer("bad \ud800 text")).text == "bad \ufffd text"
    found = follows(ModelAnswer("x", provider={"kind": "x"}, cached_input_tokens=5))
    assert (found.provider, found.cached_input_tokens) == ({"kind": "x"}, 5)
    assert follows(ModelAnswer("x", provider={"kind": "\ud800"})).provider == {"kind": "\ufffd"}
    assert follows(ModelAnswer("x", provider={"seed": float("nan")})).provider is None


def test_the_final_tool_ends_the_job() -> None:
    """Its arguments are the output; the answer is what the model said beside it, else the output as JSON."""
    found = with_output(Call(FINAL_TOOL, {"name": "Troy", "people": "3"}))
    assert (found.wanted, found.output, found.text) == ((), TROY, '{"name":"Troy","people":3}')
    assert found.provider is None
    assert with_output(Call(FINAL_TOOL, {"name": "\ud800", "people": 3})).output == {"name": "\ufffd", "people": 3}
    assert with_output(Call(FINAL_TOOL, TROY), text="Here it is.").text == "Here it is."


@pytest.mark.parametrize(
    ("arguments", "kept", "fault"),
    [({"name": "Troy"}, {"name": "Troy"}, "people: Field required"), ({"name": "x" * 600_000}, {}, "")],
)
def test_an_output_that_does_not_fit_goes_back_to_the_model(
    arguments: dict[str, object], kept: dict[str, object], fault: str
) -> None:
    """As the error of that call, with what it was, unless no store can hold that."""
    found = with_output(Call(FINAL_TOOL, arguments))
    (wanted,) = found.wanted
    assert (wanted.tool, wanted.arguments, found.output, found.provider) == (FINAL_TOOL, kept, None, {"kind": "x"})
    assert wanted.fault is not None
    assert wanted.fault.type == "invalid_output"
    assert fault in wanted.fault.message.encode().decode()


_RIGHT, _SECOND = Call(FINAL_TOOL, TROY), Call(FINAL_TOOL, {"name": "Ulm", "people": 5})
_WRONG, _UNREAD = Call(FINAL_TOOL, {"name": "Troy"}), Call(FINAL_TOOL, {}, fault="the arguments must be a JSON object")


@pytest.mark.parametrize(
    "finals",
    [
        *((_RIGHT,) * 2, (_RIGHT,) * 5, (_RIGHT, _SECOND), (_RIGHT, _WRONG)),
        *((_WRONG, _RIGHT), (_UNREAD, _WRONG, _RIGHT, _SECOND)),
    ],
)
def test_the_first_output_that_fits_counts(finals: tuple[Call, ...]) -> None:
    """Models with parallel calls may give it several times in one turn."""
    found = with_output(*finals)
    assert (found.wanted, found.output) == ((), TROY)


def test_each_output_that_does_not_fit_has_its_own_fault() -> None:
    """The provider's answer has a result for each of its calls."""
    found = with_output(_WRONG, _UNREAD)
    faults = [wanted.fault.message for wanted in found.wanted if wanted.fault]
    assert (found.output, [wanted.arguments for wanted in found.wanted]) == (None, [{"name": "Troy"}, {}])
    assert "people: Field required" in faults[0]
    assert faults[1] == "the arguments must be a JSON object"


def test_text_goes_back_to_the_model_unless_it_is_the_output() -> None:
    assert with_output(text='{"name": "Troy", "people": 3}').output == TROY
    (wanted,) = with_output(text="Troy had three.").wanted
    assert wanted.fault is not None
    assert "must be a call of 'final_result'" in wanted.fault.message


_LOOK, _FAIL = Call("look", {}), Call("look", {"fails": True})


@pytest.mark.parametrize(
    ("calls", "model_calls"),
    [
        *(((_LOOK, _RIGHT), 1), ((_RIGHT, _LOOK, _SECOND), 1), ((_WRONG, _LOOK, _RIGHT, _LOOK), 1)),
        *(((_FAIL, _RIGHT), 2), ((_LOOK, _WRONG), 2), ((Call("unknown"), _RIGHT), 2), ((_LOOK, _FAIL, _RIGHT), 2)),
    ],
)
async def test_an_output_beside_other_calls_counts_once_they_have_succeeded(calls: Any, model_calls: int) -> None:
    """Else the model learns what has failed, and gives it again."""

    @tool(retries=0)
    def look(fails: bool = False) -> str:
        return {False: "seen"}[fails]

    agent = Agent("counts", ScriptedModel([list(calls), [_SECOND]]), tools=[look], output_type=City)
    run = await Simulation(Registry([agent])).run("counts", "go")
    wanted = TROY if model_calls == 1 else _SECOND.arguments
    assert ((run.result or {})["output"], run.usage["modelCalls"]) == (wanted, model_calls)


async def test_an_answer_of_a_runner_that_no_store_can_hold_fails_and_counts() -> None:
    class Odd:
        name = "odd"

        async def turn(self, *_: Any) -> RunnerAnswer:
            return RunnerAnswer(ModelAnswer("done", input_tokens=7, provider={"seed": object()}))

    runner: Any = Odd()
    found = await runner_turn(runner, Recorded(JobInfo(job_id="j", session_id="s", tenant="t", task="go")), None, 5)
    assert isinstance(found, ModelFailed)
    assert (found.failure.type, found.failure.retryable, found.extra_usage.input_tokens) == ("unrecordable", True, 7)


async def test_an_error_of_a_model_s_own_is_worth_another_attempt(caplog: pytest.LogCaptureFixture) -> None:
    """The log has its traceback from the model's own frames on, without secrets."""

    class Own(ScriptedModel):
        async def answer(self, request: ModelRequest) -> ModelAnswer:
            raise RuntimeError("no disk for sk-0123456789abcdef")

    turn = OutcomeDoor(ModelTurn(Registry([Agent("a", Own(["done"]))]), 5), KnownSecrets(("sk-0123456789abcdef",)))
    history = History(({"role": "user", "text": "go", "data": {}},))
    found = await turn(CallModel(Job("job_1", "s", "t", "a", 0), 1, 1), history, Claim("job_1", "k", "m", "o", 0, 0))
    assert isinstance(found, ModelFailed)
    failure = found.failure
    message = "RuntimeError: no disk for [redacted]"
    assert (failure.type, failure.message, failure.retryable) == ("model_error", message, True)
    [logged] = caplog.messages
    for text in (logged, failure.traceback):
        first, *_, last = text.partition("Traceback (most recent call last):\n")[2].splitlines()
        assert first.endswith("in answer")
        assert last == message
