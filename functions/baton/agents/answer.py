"""A model's answer as a step result: calls that can run, calls whose fault goes back to the model, or the job's result.

Invariant: an answer in any form gives a step result, never an error. Must not: run anything.
"""

from collections.abc import Mapping
from typing import Any

from baton.agents.foreign_text import storable
from baton.agents.output import FINAL_TOOL, InvalidOutput, OutputType
from baton.core.state import Failure
from baton.core.step_results import ModelAnswered, ModelFailed, Wanted
from baton.models.call import Call
from baton.models.model import ModelAnswer
from baton.tools.arguments import InvalidArguments
from baton.tools.tool import Tool
from baton_events.ids import canonical_json

ARGUMENTS_LIMIT_BYTES = 256 * 1024


def answered(
    answer: ModelAnswer, tools: Mapping[str, Tool], output: OutputType | None = None
) -> ModelAnswered | ModelFailed:
    """What follows from the answer; calls that cannot run carry their fault back to the model."""
    try:
        text = storable(answer.text)
        wanted = tuple([_wanted(call, tools) for call in answer.calls])
        if output is None:
            return step_result(answer, text, wanted)
        return _with_output(answer, text, wanted, output)
    except (TypeError, ValueError, AttributeError) as error:
        return ModelFailed(Failure("model_garbage", f"not a usable answer: {error}", retryable=True))


def step_result(
    answer: ModelAnswer, text: str, wanted: tuple[Wanted, ...], output: dict[str, Any] | None = None
) -> ModelAnswered:
    """The answer with these calls, or with this output; what it cost comes along."""
    return ModelAnswered(
        text,
        wanted,
        answer.input_tokens,
        answer.output_tokens,
        answer.cost_usd,
        answer.cached,
        cached_input_tokens=answer.cached_input_tokens,
        # An output ends the job; its call has no result that a provider could be told.
        provider=None if output is not None or answer.provider is None else _kept(answer.provider),
        output=output,
    )


def _with_output(answer: ModelAnswer, text: str, wanted: tuple[Wanted, ...], output: OutputType) -> ModelAnswered:
    """The final answer is right, or it goes back with its faults, as a call that could not run."""
    finals = [call for call in answer.calls if call.tool == FINAL_TOOL]
    if answer.calls and not finals:
        return step_result(answer, text, wanted)
    if len(answer.calls) > 1:
        fault = Failure("invalid_output", f"call {FINAL_TOOL!r} alone, once the results of all other tools are there")
        return step_result(answer, text, tuple(_refused(wanted_call, fault) for wanted_call in wanted))
    try:
        result = output.check(finals[0].arguments) if finals else output.read(text)
        result_json = canonical_json(result)
        result_json.encode()
    except (InvalidOutput, UnicodeEncodeError) as error:
        fault = Failure("invalid_output", storable(str(error)))
        return step_result(answer, text, (Wanted(FINAL_TOOL, _storable_arguments(finals), fault),))
    return step_result(answer, text if finals and text else result_json, (), result)


def refused(call: Call, fault: Failure) -> Wanted:
    """A call that cannot run; its arguments are kept where the store can hold them."""
    return Wanted(call.tool, _kept(call.arguments) or {}, fault)


def _refused(wanted_call: Wanted, fault: Failure) -> Wanted:
    return Wanted(FINAL_TOOL, wanted_call.arguments, fault) if wanted_call.tool == FINAL_TOOL else wanted_call


def _storable_arguments(finals: list[Call]) -> dict[str, Any]:
    return _kept(finals[0].arguments) or {} if finals else {}


def _kept(values: dict[str, Any]) -> dict[str, Any] | None:
    """The values, if the store can hold them."""
    try:
        return values if len(canonical_json(values).encode()) <= ARGUMENTS_LIMIT_BYTES * 2 else None
    except (TypeError, ValueError):
        return None


def _wanted(call: Call, tools: Mapping[str, Tool]) -> Wanted:
    try:
        size_bytes = len(canonical_json(call.arguments).encode())
    except ValueError as error:
        return Wanted(call.tool, {}, Failure("invalid_arguments", f"arguments that are not JSON: {error}"))
    if size_bytes > ARGUMENTS_LIMIT_BYTES:
        message = f"{size_bytes} bytes of arguments, over the limit of {ARGUMENTS_LIMIT_BYTES}"
        return Wanted(call.tool, {}, Failure("arguments_too_large", message))
    if call.tool not in tools:
        message = f"there is no tool {call.tool!r}; there are: {', '.join(sorted(tools)) or 'none'}"
        return Wanted(call.tool, call.arguments, Failure("unknown_tool", message))
    tool = tools[call.tool]
    try:
        arguments = tool.check(call.arguments)
    except InvalidArguments as error:
        return Wanted(call.tool, call.arguments, Failure("invalid_arguments", str(error)))
    return Wanted(call.tool, arguments, None, tool.retries, tool.retry_delay_seconds, isolated=tool.isolated)
