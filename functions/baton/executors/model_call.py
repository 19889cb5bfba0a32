"""One call of a model: within its time and through the cache, and its answer as a step result.

A step result holds calls that can run, calls whose fault goes back to the model, or the job's result. Invariant: all
calls of a turn together have the function's time; a later one has what the earlier ones left. An answer in any form
gives a step result, never an error. Must not: run a tool.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from msgspec import Struct

from baton.agents.agent import Agent
from baton.agents.output import FINAL_TOOL, InvalidOutput, OutputType
from baton.engine.step_results import ModelAnswered, ModelFailed
from baton.models.answer_cache import AnswerCache
from baton.models.model import Call, Model, ModelAnswer, ModelRequest
from baton.runtime.gen_ai import chat_span
from baton.sdk.memory import ModelCache
from baton.sdk.records import Failure, Wanted
from baton.tools.arguments import ARGUMENTS_LIMIT_BYTES, InvalidArguments
from baton.tools.contained import contained
from baton.tools.tool import Tool
from baton_events.ids import canonical_json
from baton_events.values.text import storable


def answered(
    answer: ModelAnswer, tools: Mapping[str, Tool], output: OutputType | None = None
) -> ModelAnswered | ModelFailed:
    """Return what follows from the answer; calls that cannot run carry their fault back to the model."""
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
    """Return the answer with these calls, or with this output, and with its cost."""
    return ModelAnswered(
        text,
        wanted,
        answer.input_tokens,
        answer.output_tokens,
        answer.cost_usd,
        answer.cached,
        cached_input_tokens=answer.cached_input_tokens,
        # An output ends the job; its call has no result that a provider could be sent.
        provider=None if output is not None or answer.provider is None else _kept(answer.provider),
        output=output,
    )


def _with_output(answer: ModelAnswer, text: str, wanted: tuple[Wanted, ...], output: OutputType) -> ModelAnswered:
    """Return the final answer if it is right, or send it back with its faults, as a call that could not run."""
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
    """Return a call that cannot run; its arguments are kept where the store can hold them."""
    return Wanted(call.tool, _kept(call.arguments) or {}, fault)


def _refused(wanted_call: Wanted, fault: Failure) -> Wanted:
    return Wanted(FINAL_TOOL, wanted_call.arguments, fault) if wanted_call.tool == FINAL_TOOL else wanted_call


def _storable_arguments(finals: list[Call]) -> dict[str, Any]:
    return _kept(finals[0].arguments) or {} if finals else {}


def _kept(values: dict[str, Any]) -> dict[str, Any] | None:
    """Return the values, if the store can hold them."""
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
        tool.check(call.arguments)
    except InvalidArguments as error:
        return Wanted(call.tool, call.arguments, Failure("invalid_arguments", str(error)))
    return Wanted(call.tool, call.arguments, None, tool.retries, tool.retry_delay_seconds, isolated=tool.isolated)


class ModelCalls(Struct, frozen=True):
    """The calls of a turn. `limit_seconds`: of one call; `deadline`: of the turn, in the event loop's time."""

    limit_seconds: float
    deadline: float
    cache: AnswerCache | None = None

    async def call(self, model: Model, request: ModelRequest, share: float = 1.0) -> ModelAnswer:
        """Ask the cache, then the model.

        Args:
            model: the model to call.
            request: the request.
            share: of the time that is left; the rest stays for later calls.

        Raises:
            TimeoutError: no answer in time.
            Exception: any error of the model; `CutShortError` for one that is no `Exception`.
        """
        found = await self.cache.lookup(model, request) if self.cache else None
        if found is not None:
            return found
        now = asyncio.get_running_loop().time()
        limit_seconds = min(self.limit_seconds, max(0.0, self.deadline - now) * share)
        with chat_span(model.name, request) as answered_with:
            async with asyncio.timeout_at(now + limit_seconds):
                answer = await contained(lambda: model.answer(replace(request, time_limit_seconds=limit_seconds)))
            answered_with(answer)
        if self.cache:
            await self.cache.keep(model, request, answer)
        return answer


def calls_of(agent: Agent, tenant: str, work_limit_seconds: float, cache: ModelCache | None) -> ModelCalls:
    """Return the calls of a turn that begins now."""
    kept = AnswerCache(cache, tenant, agent.name, agent.cache_seconds) if cache and agent.cache_seconds else None
    return ModelCalls(
        limit_seconds=min(agent.model_timeout_seconds, work_limit_seconds),
        deadline=asyncio.get_running_loop().time() + work_limit_seconds,
        cache=kept,
    )
