"""One model call: from what is recorded to the model's request, from its answer to a happening.

Invariant: whatever goes wrong is a happening, never raised: a provider's 429 is a fact of the job, not a failure of the
delivery. Must not: run tools; it only checks whether those asked for exist and fit.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from events.core.effects import CallModel, Work
from events.core.happenings import Happening, ModelAnswered, ModelFailed, Wanted
from events.core.state import Failure
from events.ids import canonical_json
from events.ports import Claim, History
from functions.agents.foreign_text import storable
from functions.agents.registry import Registry, UnknownAgentError
from functions.models.call import Call
from functions.models.model import (
    Message,
    ModelAnswer,
    ModelError,
    ModelMessage,
    ModelRequest,
    PastCall,
    ToolMessage,
    UserMessage,
)
from functions.tools.arguments import InvalidArguments
from functions.tools.tool import Tool

ARGUMENTS_LIMIT_BYTES = 256 * 1024


class ModelTurn:
    """Performs CallModel."""

    def __init__(self, registry: Registry, work_limit_seconds: float) -> None:
        self._registry = registry
        self._work_limit_seconds = work_limit_seconds

    async def __call__(self, effect: Work, history: History, claim: Claim) -> Happening:  # noqa: ARG002 - one signature
        """Ask the model of the job's agent."""
        assert isinstance(effect, CallModel), "this performer is registered for CallModel"
        try:
            agent = self._registry.agent(effect.job.agent)
        except UnknownAgentError as error:
            # Old code in the middle of a deploy may not know it yet.
            return ModelFailed(Failure("unknown_agent", str(error), retryable=True))
        request = ModelRequest(agent.instructions, messages(history), self._registry.specs_of(agent), effect.turn)
        limit_seconds = min(agent.model_timeout_seconds, self._work_limit_seconds)
        try:
            async with asyncio.timeout(limit_seconds):
                answer = await self._registry.model_of(agent).answer(request)
        except TimeoutError:
            return ModelFailed(Failure("model_timeout", f"no answer within {limit_seconds:g} s", retryable=True))
        except ModelError as error:
            failure = Failure("model_error", storable(error.message), retryable=error.retryable)
            return ModelFailed(failure, error.retry_after_seconds)
        except Exception as error:  # noqa: BLE001 - a model is foreign code: its failure is a fact of the job
            return ModelFailed(Failure("model_error", storable(f"{type(error).__name__}: {error}"), retryable=True))
        return answered(answer, self._registry.tools_of(agent))


def messages(history: History) -> tuple[Message, ...]:
    """The conversation so far, as the model is told it."""
    told: list[Message] = []
    for entry in history.transcript:
        if entry["role"] == "user":
            told.append(UserMessage(entry.get("text", ""), entry.get("data") or {}))
            continue
        calls = tuple(PastCall(call["id"], call["tool"], call["arguments"]) for call in entry["calls"])
        told.append(ModelMessage(entry["text"], calls))
        for call, asked in zip(calls, entry["calls"], strict=True):
            stored: Mapping[str, Any] = history.results.get(call.call_id) or asked
            told.append(_result(call, stored))
    return tuple(told)


def _result(call: PastCall, stored: Mapping[str, Any]) -> ToolMessage:
    if "ok" in stored:
        return ToolMessage(call.call_id, call.tool, stored["ok"])
    error = stored.get("error") or {"type": "unknown", "message": "the result is not recorded"}
    return ToolMessage(call.call_id, call.tool, error, is_error=True)


def answered(answer: ModelAnswer, tools: Mapping[str, Tool]) -> ModelAnswered | ModelFailed:
    """The model's answer as a happening; calls that cannot run carry their fault back to the model."""
    try:
        wanted = tuple(_wanted(call, tools) for call in answer.calls)
        text = storable(answer.text)
    except (TypeError, ValueError, AttributeError) as error:
        return ModelFailed(Failure("model_garbage", f"not a usable answer: {error}", retryable=True))
    return ModelAnswered(text, wanted, answer.input_tokens, answer.output_tokens, answer.cost_usd)


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
    return Wanted(call.tool, arguments, None, tool.retries, tool.retry_delay_seconds)
