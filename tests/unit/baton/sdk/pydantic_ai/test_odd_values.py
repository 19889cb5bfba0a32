"""What tools and prompts of durable agents give: storable text, and no end of the process that runs others' jobs."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, ToolReturn
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_core import to_jsonable_python

from baton import Registry
from baton.pydantic_ai import durable
from baton.testing import Simulation
from tests.unit.baton.sdk.pydantic_ai.played import call, scripted

LONE, SHOWN = "a\ud83d\ude00\udcff", "a\U0001f600\ufffd"


@dataclass
class Kept:
    """A value that is left as it is."""

    amount: int


@dataclass
class Said:
    """A value with another in a field."""

    text: Any


class Line(BaseModel):
    """The same as a model."""

    text: str


class Mean(BaseModel):
    """A model with a number."""

    value: float


GIVEN: tuple[tuple[Any, Any], ...] = (
    (LONE, SHOWN),
    ([LONE, (LONE, 1)], [SHOWN, [SHOWN, 1]]),
    ({LONE: {"a": [LONE]}}, {SHOWN: {"a": [SHOWN]}}),
    (ToolReturn(return_value=LONE, content=[LONE]), SHOWN),
    (ToolReturn(return_value={"a": LONE}, content=LONE), {"a": SHOWN}),
    (Kept(2), {"amount": 2}),
    (Said(LONE), {"text": SHOWN}),
    ([Line(text=LONE)], [{"text": SHOWN}]),
    (ToolReturn(return_value=Line(text=LONE)), {"text": SHOWN}),
    ("é\0", "é\0"),
    (None, None),
)


_INF, _NAN = float("inf"), float("nan")
# What a tool gives, and what people are shown of it.
NUMBERS: tuple[tuple[Any, Any], ...] = (
    *((_INF, "Infinity"), (-_INF, "-Infinity"), (_NAN, "NaN"), ([1.5, _INF], [1.5, "Infinity"])),
    *(({"mean": _NAN}, {"mean": "NaN"}), ({"a": [{"b": (-_INF,)}]}, {"a": [{"b": ["-Infinity"]}]})),
    *((Mean(value=_INF), {"value": "Infinity"}), (Said(_NAN), {"text": "NaN"})),
    (ToolReturn(return_value=[_INF], content="far", metadata={"worst": _NAN}), ["Infinity"]),
    ({"é": "Infinity", "value": _INF}, {"é": "Infinity", "value": "Infinity"}),
)


@pytest.mark.parametrize("at", range(len(NUMBERS)))
async def test_a_number_that_json_has_not_reaches_the_model_as_in_a_direct_run(at: int) -> None:
    """It is never null, and the same in each attempt; people are shown its name."""
    given, shown = NUMBERS[at]
    told = list[str]()

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        returned = [part for one in messages for part in one.parts if isinstance(part, ToolReturnPart)]
        if not returned:
            return ModelResponse([ToolCallPart("act", {}, "c")])
        told.append(repr((to_jsonable_python(returned[0].content), to_jsonable_python(returned[0].metadata))))
        return ModelResponse([TextPart(told[-1])])

    agent = Agent(FunctionModel(answer), name="a")

    @agent.tool_plain
    def act() -> Any:
        return given

    direct = (await agent.run("x")).output
    simulation = Simulation(Registry([durable(agent)]))
    run = await simulation.run("a", "x")
    assert (run.result, run.calls[0]["result"]) == ({"answer": direct, "output": direct}, shown)
    assert json.loads(json.dumps(run.model_messages, allow_nan=False)) == run.model_messages
    if at % 4 == 0:  # of a number by itself, inside, and of a return
        (await simulation.crash_everywhere("a", "x")).check()


async def _run(act: Callable[[], Any], **options: Any) -> Any:
    agent = Agent(scripted([call("act")], "done"), name="a")
    agent.tool_plain(name="act")(act)
    return await Simulation(Registry([durable(agent, **options)])).run("a", "x")


@pytest.mark.parametrize("at", range(len(GIVEN)))
async def test_a_tools_texts_are_storable(at: int) -> None:
    given, kept = GIVEN[at]

    async def act() -> Any:
        return given

    run = await _run(act)
    assert (run.status, len(run.tool_starts)) == ("completed", 1), run.error
    [told] = [part for one in run.model_messages for part in one["parts"] if part["part_kind"] == "tool-return"]
    assert told["content"] == kept


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize("error", [SystemExit(3), SystemExit(), KeyboardInterrupt()])
async def test_a_tool_that_ends_the_process_fails_its_job_alone(error: BaseException, *, is_async: bool) -> None:
    def act() -> str:
        raise error

    async def act_later() -> str:
        raise error

    act_later.__name__ = "act"
    run = await _run(act_later if is_async else act)
    assert (run.status, len(run.tool_starts)) == ("failed", 1)
    assert run.error is not None
    assert run.error["type"] == type(error).__name__


async def test_a_prompts_texts_are_storable() -> None:
    prompts: tuple[Any, ...] = (LONE, [LONE, "b"])
    for prompt in prompts:
        run = await _run(lambda: None, prompt=lambda _, prompt=prompt: prompt)
        assert run.status == "completed", run.error
        assert SHOWN in str(run.model_messages[0])


async def test_instructions_are_storable() -> None:
    agent = Agent(scripted("done"), name="a")
    agent.instructions(lambda: LONE)
    run = await Simulation(Registry([durable(agent)])).run("a", "x")
    assert run.status == "completed", run.error
    assert SHOWN in str(run.model_messages[0])


@pytest.mark.parametrize("odd", ["NaN", "Infinity", "-Infinity"])
async def test_the_model_is_told_of_an_output_that_no_result_can_hold(odd: str) -> None:
    answers = [call("final_result", "first", f'{{"response": {odd}}}')], [call("final_result", "second", response=1.5)]
    agent = Agent(scripted(*answers), name="a", output_type=float)
    run = await Simulation(Registry([durable(agent)])).run("a", "x")
    assert (run.status, run.result) == ("completed", {"answer": "1.5", "output": 1.5}), run.error
    assert "no number in JSON" in str(run.model_messages)
