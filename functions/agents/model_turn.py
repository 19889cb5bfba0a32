"""One model call: from what is recorded to the model's request, from its answer to a happening.

Invariant: whatever goes wrong is a happening, never raised: a provider's 429 is a fact of the job, not a failure of the
delivery. Must not: run tools; it only checks whether those asked for exist and fit.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from events.core.effects import CallModel, Work
from events.core.happenings import Happening, ModelAnswered, ModelFailed, Wanted
from events.core.state import Failure
from events.ids import canonical_json
from events.ports import Claim, History, ModelCache
from functions.agents.agent import Agent
from functions.agents.foreign_text import storable
from functions.agents.model_call import ModelCalls, calls_of
from functions.agents.registry import Registry, UnknownAgentError
from functions.agents.telling import told
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

    def __init__(self, registry: Registry, work_limit_seconds: float, cache: ModelCache | None = None) -> None:
        self._registry = registry
        self._work_limit_seconds = work_limit_seconds
        self._cache = cache

    async def __call__(self, effect: Work, history: History, claim: Claim) -> Happening:  # noqa: ARG002 - one signature
        """Ask the model of the job's agent."""
        assert isinstance(effect, CallModel), "this performer is registered for CallModel"
        try:
            agent = self._registry.agent(effect.job.agent)
        except UnknownAgentError as error:
            # Old code in the middle of a deploy may not know it yet.
            return ModelFailed(Failure("unknown_agent", str(error), retryable=True))
        calls = calls_of(agent, effect.job.tenant, self._work_limit_seconds, self._cache)
        specs = self._registry.specs_of(agent)
        tell = await told(agent, history, specs, calls, self._registry.summarizer_of(agent))
        request = ModelRequest(agent.instructions, messages(tell.history), specs, effect.turn)
        happened = await self._answer(agent, request, calls)
        if isinstance(happened, ModelAnswered):
            happened = replace(happened, estimated_tokens=tell.estimated_tokens)
        return replace(happened, aside=tell.aside)

    async def _answer(self, agent: Agent, request: ModelRequest, calls: ModelCalls) -> ModelAnswered | ModelFailed:
        try:
            answer = await calls.ask(self._registry.model_of(agent), request)
        except TimeoutError:
            return ModelFailed(Failure("model_timeout", f"no answer within {calls.limit_seconds:g} s", retryable=True))
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
        if entry["role"] != "model":
            told += _besides(entry)
            continue
        calls = tuple(PastCall(call["id"], call["tool"], call["arguments"]) for call in entry["calls"])
        told.append(ModelMessage(entry["text"], calls))
        for call, asked in zip(calls, entry["calls"], strict=True):
            stored: Mapping[str, Any] = history.results.get(call.call_id) or asked
            told.append(_result(call, stored))
    return tuple(told)


def _besides(entry: Mapping[str, Any]) -> tuple[Message, ...]:
    """What no model said; a role of a newer version is not told."""
    match entry["role"]:
        case "user":
            return (UserMessage(entry.get("text", ""), entry.get("data") or {}),)
        case "summary":
            return (UserMessage(f"[Summary of turns 1 to {entry['upTo']}:]\n{entry['text']}", note=True),)
        case "omitted":
            return (UserMessage(f"[{entry['turns']} earlier turns are left out here.]", note=True),)
        case _:
            return ()


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
    return ModelAnswered(text, wanted, answer.input_tokens, answer.output_tokens, answer.cost_usd, answer.cached)


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
