"""One model call: what the model is told, and how it is asked."""

from pydantic import BaseModel

from baton import Agent, Registry
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel
from baton.engine.state import Job
from baton.engine.step_results import ModelAnswered, ModelFailed
from baton.executors.model_turn import ModelTurn, messages
from baton.models.model import ModelAnswer, ModelMessage, PastCall, ToolMessage, UserMessage
from tests.unit.baton.kit.listening import Listening


def test_the_model_is_given_results_and_errors_of_its_calls() -> None:
    """A result that is stored, an error that is stored, and the error of a call that never ran."""
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


class City(BaseModel):
    name: str


CLAIM = Claim("job_1", "leg", "m1", "owner", 0, 1_000)
TURN = CallModel(Job("job_1", "s", "acme", "a", 0), 1, 1)


async def test_the_model_is_asked_as_the_agent_says() -> None:
    model = Listening(lambda _: ModelAnswer('{"name": "Troy"}'))
    agent = Agent("a", model=model, model_settings={"seed": 7}, output_type=City, model_timeout_seconds=30)
    step_result = await ModelTurn(Registry([agent]), 120)(TURN, History(), CLAIM)
    assert isinstance(step_result, ModelAnswered)
    assert step_result.output == {"name": "Troy"}
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
