"""Attributes of spans of agents, models and tools, by the names of OpenTelemetry's conventions for generative AI.

Source: github.com/open-telemetry/semantic-conventions-genai, `model/gen-ai`; a test holds each span to it. Must not:
decide anything, or raise.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any
from urllib.parse import urlsplit

from baton.engine.all_jobs.scores import Score
from baton.observability.spans import Attributes, OpenItem
from baton.observability.tracing import open_item
from baton.sdk.agents.agent import chosen_models
from baton.sdk.agents.output import OutputType
from baton.sdk.agents.registry import Registry, UnknownAgentError
from baton.sdk.agents.runner import RunFailedError
from baton.sdk.models.catalog import GATEWAY
from baton.sdk.models.model import (
    Message,
    ModelAnswer,
    ModelMessage,
    ModelRequest,
    Origin,
    PastCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from baton.sdk.tools.contained import CutShortError
from baton_events.ids import call_id
from baton_events.values.text import text_of

# pydantic-ai's name of a provider → that of the conventions, where they differ.
PROVIDERS = {
    "azure": "azure.ai.openai",
    "azure-responses": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "google-cloud": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "moonshotai": "moonshot_ai",
    "openai-chat": "openai",
    "openai-responses": "openai",
    "xai": "x_ai",
}
# For model objects without a provider, and agents without a model.
_OWN_PROVIDER = "baton"
_REAL = ("temperature", "top_p", "frequency_penalty", "presence_penalty")
_WHOLE = ("max_tokens", "seed")
_UNTRACED = nullcontext()


def model_attributes(name: str, provider: str = "") -> Attributes:
    """Return the attributes of the model of this name, `provider:model` or a name alone; of several, the first."""
    known, colon, model = name.partition(", ")[0].removeprefix(GATEWAY).partition(":")
    known, model = (known, model) if colon else ("", known)
    provider = provider or known or _OWN_PROVIDER
    found: Attributes = {"gen_ai.provider.name": PROVIDERS.get(provider, provider)}
    return found | ({"gen_ai.request.model": model} if model else {})


def agent_attributes(registry: Registry, name: str) -> Attributes:
    """Return the attributes of the span of an agent's run."""
    shown: Attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
    try:
        agent = registry.agent(name)
    except UnknownAgentError:
        return shown | model_attributes("")
    has_model = agent.runner is not None or chosen_models(agent.model)
    shown |= model_attributes(registry.model_name_of(agent) if has_model else "")
    shown |= _settings(agent.model_settings) | _output(agent.output)
    return shown | ({"gen_ai.agent.description": agent.description} if agent.description else {})


def plan_attributes(item: OpenItem) -> Attributes:
    """Return the attributes of the span of a planning turn: the agent's, the session's, and its request's provider."""
    provider = "gen_ai.provider.name"
    return {
        "gen_ai.operation.name": "plan",
        "gen_ai.agent.name": item.job.agent,
        "gen_ai.conversation.id": item.job.session_id,
        provider: (item.details.agent(item.job.agent) | item.agent)[provider],
    }


def tool_attributes(name: str, call_id: str, description: str) -> Attributes:
    shown: Attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
    shown |= {"gen_ai.tool.call.id": call_id, "gen_ai.tool.type": "function"}
    return shown | ({"gen_ai.tool.description": description} if description else {})


def score_attributes(score: Score, hide: Callable[[str], str]) -> Attributes:
    shown: Attributes = {"gen_ai.evaluation.name": score.name, "gen_ai.evaluation.score.value": float(score.value)}
    if isinstance(score.value, bool):
        shown["gen_ai.evaluation.score.label"] = "pass" if score.value else "fail"
    return shown | ({"gen_ai.evaluation.explanation": hide(score.comment)} if score.comment else {})


def chat_span(
    name: str, request: ModelRequest | None = None
) -> AbstractContextManager[Callable[[ModelAnswer], None] | None]:
    """Trace a request to the model of this name, and give a function that takes its answer; None: nothing is traced.

    `request`: None: an agent's runner sends it, and may answer without a model, from no origin.
    """
    item = open_item()
    return _UNTRACED if item is None else _chat_span(item, name, request)


@contextmanager
def _chat_span(item: OpenItem, name: str, request: ModelRequest | None) -> Iterator[Callable[[ModelAnswer], None]]:
    # An offloaded request has been under way since its turn waits.
    since_ms = item.item.memo.get("sinceMs", item.item.since_ms)
    start_ms = since_ms if item.item.offloaded else item.clock.now_ms()
    answers, item.first_chunk_ms = list[ModelAnswer](), 0
    try:
        yield answers.append
    except RunFailedError:  # a runner's own failure; a request to a model fails with another error
        raise
    except Exception as error:
        kind = error.type if isinstance(error, CutShortError) else type(error).__name__
        asked = _asked(item, name, request) | {"error.type": kind}
        item.add(_title(asked), start_ms, asked, client=True, error=text_of(error) or kind)
        raise
    if request is None and answers[0].origin is None:
        return
    shown = _asked(item, name, request)
    with suppress(TypeError, ValueError, AttributeError):  # a model is foreign code: its answer is judged elsewhere
        shown |= _answered(item, answers[0], start_ms)
    item.add(_title(shown), start_ms, shown, client=True)
    passed_on = ("gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.finish_reasons")
    item.agent |= {key: shown[key] for key in passed_on if key in shown}


def _title(shown: Attributes) -> str:
    return f"chat {shown.get('gen_ai.request.model', '')}".rstrip()


def _asked(item: OpenItem, name: str, request: ModelRequest | None) -> Attributes:
    shown: Attributes = {"gen_ai.operation.name": "chat", "gen_ai.conversation.id": item.job.session_id}
    shown |= model_attributes(name)
    if request is None:
        return shown
    shown |= _settings(request.settings) | _output(request.output)
    if (top_k := request.settings.get("top_k")) is not None:
        shown["gen_ai.request.top_k"] = float(top_k)
    if item.details.content:
        asked = [message for message in request.messages if isinstance(message, UserMessage)]
        given = item.content(
            system_instructions=[{"type": "text", "content": request.instructions}],
            tool__definitions=[{"type": "function", "name": each.name} for each in request.tools],
        )
        item.agent |= given | item.content(input__messages=_messages(asked))
        shown |= given | item.content(input__messages=_messages(request.messages))
    return shown


def _answered(item: OpenItem, answer: ModelAnswer, start_ms: int) -> Attributes:
    origin = answer.origin or Origin()
    shown: Attributes = {
        "gen_ai.response.finish_reasons": (origin.finish_reason or ("tool_call" if answer.calls else "stop"),),
        "gen_ai.usage.input_tokens": answer.input_tokens,
        "gen_ai.usage.output_tokens": answer.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": answer.cached_input_tokens,
        "gen_ai.usage.cache_creation.input_tokens": origin.cache_written_tokens,
        "baton.cost_usd": answer.cost_usd,
    }
    if origin.name or origin.provider:
        shown |= model_attributes(origin.name, origin.provider)
    if origin.model:
        shown["gen_ai.response.model"] = origin.model
    if origin.id:
        shown["gen_ai.response.id"] = origin.id
    if origin.reasoning_tokens:
        shown["gen_ai.usage.reasoning.output_tokens"] = origin.reasoning_tokens
    if item.first_chunk_ms:
        shown["gen_ai.response.time_to_first_chunk"] = (item.first_chunk_ms - start_ms) / 1000
    if item.first_chunk_ms or origin.streamed:
        shown["gen_ai.request.stream"] = True
    return shown | _server(origin.url) | (_output_content(item, answer) if item.details.content else {})


def _output_content(item: OpenItem, answer: ModelAnswer) -> Attributes:
    calls = tuple(
        [
            PastCall(call_id(item.job.id, item.item.turn, at, call.tool, call.arguments), call.tool, call.arguments)
            for at, call in enumerate(answer.calls)
        ]
    )
    content = item.content(output__messages=[_message(ModelMessage(answer.text, calls))])
    item.agent |= content
    return content


def _server(url: str) -> Attributes:
    try:
        parts = urlsplit(url)
        port = parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        return {}
    return {"server.address": parts.hostname, "server.port": port} if parts.hostname else {}


def _output(output: OutputType | ToolSpec | None) -> Attributes:
    return {"gen_ai.output.type": "json"} if output else {}


def _settings(settings: Mapping[str, Any]) -> Attributes:
    """Return the request's settings; those without a name in the conventions are left out."""
    shown: Attributes = {f"gen_ai.request.{name}": float(settings[name]) for name in _REAL if name in settings}
    shown |= {f"gen_ai.request.{name}": settings[name] for name in _WHOLE if isinstance(settings.get(name), int)}
    stops = settings.get("stop_sequences")
    return shown | ({"gen_ai.request.stop_sequences": tuple(map(str, stops))} if isinstance(stops, list) else {})


def _messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [_message(message) for message in messages]


def _message(message: Message) -> dict[str, Any]:
    match message:
        case UserMessage():
            data = [{"type": "json", "content": message.data}] if message.data else []
            return {"role": "user", "parts": [{"type": "text", "content": message.text}, *data]}
        case ModelMessage():
            calls = [
                {"type": "tool_call", "id": call.call_id, "name": call.tool, "arguments": call.arguments}
                for call in message.calls
            ]
            text = [{"type": "text", "content": message.text}] if message.text else []
            return {"role": "assistant", "parts": [*text, *calls]}
        case ToolMessage():
            given = {"type": "tool_call_response", "id": message.call_id, "response": message.content}
            return {"role": "tool", "parts": [given]}
