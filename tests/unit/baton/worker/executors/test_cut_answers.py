"""What follows from an answer that its length limit cut off, and of one whose usage is odd."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from pydantic import BaseModel

from baton import Agent, Call, tool
from baton.engine.commit.answers import History
from baton.engine.state import Job
from baton.engine.step_results import ExtraUsage, ModelAnswered, ModelFailed
from baton.sdk.agents.history import Summarize
from baton.sdk.agents.output import OutputType
from baton.sdk.models.model import ANSWER_LIMIT_BYTES, ModelAnswer, ModelError, ModelRequest, Origin, Spent, UserMessage
from baton.sdk.planning.plan import PLAN_TOOL
from baton.worker.executors.model_call import answered, calls_of, keeps_cut, model_failed
from baton.worker.executors.plan_turns import PlannerTurn
from tests.fakes.stored import FakeModelCache
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.worker.conversation.sample_history import history_of
from tests.unit.baton.worker.executors.test_history import prompt

CUT = Origin(finish_reason="length")


class Options(BaseModel):
    """An output that needs nothing."""

    name: str = "all"


@tool
def purge(older_than_days: int = 0) -> str:
    """Purge rows; 0: all of them."""
    return f"{older_than_days}"


def cut(text: str = "", *calls: Call, tokens: tuple[int, int] = (10, 5)) -> ModelAnswer:
    return ModelAnswer(text, calls, *tokens, 0.5, origin=CUT)


@pytest.mark.parametrize("calls", [(Call(PLAN_TOOL, {"steps": [{"name": "a", "tool": "purge"}]}),), (Call("purge"),)])
def test_no_half_plan_runs(calls: tuple[Call, ...]) -> None:
    planner = PlannerTurn(Agent("p", model="demo", mode="plan", tools=[purge]), {"purge": purge}, (), 0, 9)
    found = planner.answered(cut("", *calls))
    assert isinstance(found, ModelAnswered)
    assert not found.plan
    assert [one.fault and one.fault.type for one in found.wanted] == ["answer_cut"]


@pytest.mark.parametrize("output", [OutputType("a", Options), None])
def test_arguments_that_cannot_be_read_are_a_fault_of_the_call_and_never_its_defaults(output: Any) -> None:
    call = Call("final_result" if output else "purge", {}, fault="no JSON: {")
    found = answered(ModelAnswer("", (call,)), {"purge": purge}, output)
    assert isinstance(found, ModelAnswered)
    assert [one.fault and "no JSON: {" in one.fault.message for one in found.wanted] == [True]


@pytest.mark.parametrize(
    ("setting", "task", "background", "keeps"),
    [
        (None, {"role": "user", "chat": {}}, False, True),
        (None, {"role": "user"}, False, False),
        (None, None, True, True),
        (None, None, False, False),
        ("keep", {"role": "user"}, False, True),
        ("fail", {"role": "user", "chat": {}}, True, False),
    ],
)
def test_chats_keep_a_cut_answer_and_jobs_fail_by_default(
    setting: str | None, task: dict[str, Any] | None, background: bool, keeps: bool
) -> None:
    agent, job = Agent("a", model="demo", on_cut_answer=setting), Job("job_1", "s", "t", "a", 0, background=background)
    assert keeps_cut(agent, job, History((task,) if task else ())) == keeps


def test_other_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="on_cut_answer 'maybe'; there are: fail, keep"):
        Agent("a", model="demo", on_cut_answer="maybe")


async def test_nothing_cut_is_cached() -> None:
    cache, request = FakeModelCache(), ModelRequest("", (UserMessage("q"),), (), 1)
    model = Listening(lambda _: cut("half"))
    for _ in range(2):
        await calls_of(Agent("a", model=model, cache_seconds=60), "t", 10, cache).call(model, request)
    assert len(model.requests) == 2


async def test_a_cut_summary_is_never_kept_but_counted() -> None:
    told = await prompt(Summarize(1_000, keep_turns=3), history_of(10, 400), Listening(lambda _: cut("in sho")))
    assert told.extra_usage == ExtraUsage(model_calls=1, input_tokens=10, output_tokens=5, cost_usd=0.5)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("counts", "kept", "named"),
    [
        ((7.5, Decimal("3.1"), 0.0), (8, 4, 0.0), ""),
        (("7", "3.2", "0.5"), (7, 4, 0.5), ""),
        ((Fraction(7, 2), 3, Decimal("0.5")), (4, 3, 0.5), ""),
        ((7, -1, 0.0), (7, 0, 0.0), "answer.output_tokens=int: 0.0 is counted"),
        ((7, NAN, 0.0), (7, 0, 0.0), "answer.output_tokens=nan: 0.0 is counted"),
        ((10**5000, 3, 0.0), (2**53, 3, 0.0), "answer.input_tokens=int: 9007199254740992"),
        ((INF, -(10**5000), 0.0), (2**53, 0, 0.0), "answer.output_tokens=int: 0.0 is counted"),
        ((2**53 + 2, 3, 0.0), (2**53, 3, 0.0), "answer.input_tokens=int"),
        (("seven", 3, 0.0), (0, 3, 0.0), "answer.input_tokens=seven: 0.0 is counted"),
        ((True, [3], 0.0), (0, 0, 0.0), "answer.input_tokens=bool"),
        ((7, 3, NAN), (7, 3, 0.0), "answer.cost_usd=nan"),
        ((7, 3, INF), (7, 3, 1e9), "answer.cost_usd=inf"),
        ((7, 3, -0.5), (7, 3, 0.0), "answer.cost_usd=-0.5"),
    ],
)
def test_odd_usage_is_counted_as_far_as_it_can_be_read_and_named(
    counts: tuple[Any, Any, Any], kept: tuple[int, int, float], named: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = answered(ModelAnswer("ok", (), *counts), {})
    assert isinstance(found, ModelAnswered)
    assert (found.input_tokens, found.output_tokens, found.cost_usd) == kept
    assert named in caplog.text
    assert bool(named) == bool(caplog.text)
    failed = model_failed(ModelError("busy", retryable=True, spent=Spent(1, *counts))).extra_usage
    assert (failed.input_tokens, failed.output_tokens, failed.cost_usd) == kept


def test_a_missing_count_is_zero_and_a_whole_float_is_a_count() -> None:
    unknown: Any = None
    found = answered(ModelAnswer("ok", (), unknown, unknown, unknown), {})
    assert isinstance(found, ModelAnswered)
    assert (found.input_tokens, found.output_tokens, found.cost_usd) == (0, 0, 0.0)
    whole: Any = 30.0
    found = answered(ModelAnswer("ok", (), whole, 2**53), {})
    assert isinstance(found, ModelAnswered)
    assert (repr(found.input_tokens), found.output_tokens) == ("30", 2**53)


def test_an_answer_over_the_size_limit_fails_for_good() -> None:
    for text, kind in (("ä" * (ANSWER_LIMIT_BYTES // 2), ModelAnswered), ("x" * (ANSWER_LIMIT_BYTES + 1), ModelFailed)):
        assert isinstance(answered(ModelAnswer(text), {}), kind)
    found = answered(ModelAnswer("ä" * ANSWER_LIMIT_BYTES, (), 3, 4), {})
    assert isinstance(found, ModelFailed)
    assert (found.failure.type, found.failure.retryable) == ("answer_too_large", False)
    assert f"{2 * ANSWER_LIMIT_BYTES} bytes of answer, over the limit of {ANSWER_LIMIT_BYTES}" in found.failure.message
    assert found.extra_usage == ExtraUsage(model_calls=1, input_tokens=3, output_tokens=4)


def test_a_failure_of_a_model_says_what_it_has_used() -> None:
    found = model_failed(ModelError("refused", retryable=False, spent=Spent(2, 10, 5, 0.5), type="model_error"))
    assert found.extra_usage == ExtraUsage(model_calls=2, input_tokens=10, output_tokens=5, cost_usd=0.5)
