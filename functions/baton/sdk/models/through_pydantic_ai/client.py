"""One request to a provider, through pydantic-ai's model class for it: never through its agents.

Invariant: every failure leaves here as a `ModelError`; the library's own retries are off, and a request ends with the
caller's time limit. Must not: keep anything between requests but the connections.
"""

from typing import Any, cast

import httpx
import httpx2
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.exceptions import UserError
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, infer_model
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from baton.sdk.models.model import (
    ANSWER_CUT,
    CUT_CAUSE,
    ModelAnswer,
    ModelError,
    ModelRequest,
    Origin,
    Spent,
    ToolMessage,
    ToolSpec,
)
from baton.sdk.models.through_pydantic_ai.errors import model_error, refusal_in
from baton.sdk.models.through_pydantic_ai.messages import calls_of, listen, provider_field, text_of, to_messages
from baton.sdk.models.through_pydantic_ai.prices import cost_usd, spent_of
from baton.sdk.models.through_pydantic_ai.whole import WholeModel, leaves_of
from baton_events.proxies import unusable_proxy

_SHOWN_CHARS = 2_000
_RESPONSES, _OPENAI = frozenset({"openai", "openai-responses"}), "//api.openai.com/"


def origin_of(response: ModelResponse, *, streamed: bool) -> Origin:
    return Origin(
        provider=response.provider_name or "",
        model=response.model_name or "",
        id=response.provider_response_id or "",
        finish_reason=response.finish_reason or "",
        url=response.provider_url or "",
        streamed=streamed,
        cache_written_tokens=response.usage.cache_write_tokens,
        reasoning_tokens=response.usage.details.get("reasoning_tokens", 0),
    )


def streams(model: Model) -> bool:
    """Return whether the model can stream; otherwise its answer is requested whole."""
    return all(map(_streams, leaves_of(model)))


def _streams(model: Model) -> bool:
    if isinstance(model, FunctionModel):
        return model.stream_function is not None
    return type(model).request_stream is not Model.request_stream


class ProviderClient:
    """A model's connection to its provider.

    Raises:
        ModelError: permanent: the name is unknown, or a setting such as the API key is missing.
        ImportError: the provider's library is not installed.
    """

    def __init__(self, name: str, made: Model | None = None) -> None:
        self._name = name
        try:
            self._model: Model = WholeModel(made or infer_model(name))
        except UserError as error:
            raise ModelError(f"model {name!r}: {error.message}", retryable=False) from error
        except (ImportError, ValueError, httpx.InvalidURL, httpx2.InvalidURL) as error:
            fault = unusable_proxy()  # which the library's client reads before ours does
            if not fault:
                raise
            raise ModelError(f"model {name!r}: {fault}", retryable=False) from error

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Send the request, and convert the answer to our form."""
        try:
            response = await self._response(request)
        except Exception as error:
            raise self._hinting(model_error(error)) from error
        return _answer(response, streamed=request.listener is not None and streams(self._model))

    def _hinting(self, failure: ModelError) -> ModelError:
        """Add a hint to the failure where a server other than OpenAI's does not know OpenAI's newer path."""
        provider, _, model = self._name.partition(":")
        if provider not in _RESPONSES or not failure.message.startswith("404 ") or _OPENAI in str(self._model.base_url):
            return failure
        hint = f"if the server at {self._model.base_url} has no /responses, write 'openai-chat:{model}'"
        return ModelError(f"{failure.message}; {hint}", retryable=False, spent=failure.spent)

    async def _response(self, request: ModelRequest) -> ModelResponse:
        prompt, settings, parameters = to_messages(request), _settings(request), _parameters(request)
        if any(isinstance(message, ToolMessage) and message.files for message in request.messages):
            prompt = self._model.prepare_messages(prompt, parameters)  # raises for files that the model does not take
        if request.listener is not None and streams(self._model):
            async with model_request_stream(
                self._model, prompt, model_settings=settings, model_request_parameters=parameters
            ) as stream:
                await listen(stream, request.listener)
                return stream.get()
        return await model_request(self._model, prompt, model_settings=settings, model_request_parameters=parameters)


def _settings(request: ModelRequest) -> ModelSettings:
    """Build the settings without the library's retries: the job retries by delayed events instead."""
    settings: dict[str, Any] = {**request.settings, "max_retries": 0}
    if request.time_limit_seconds is not None:
        settings["timeout"] = request.time_limit_seconds
    return cast("ModelSettings", settings)


def _parameters(request: ModelRequest) -> ModelRequestParameters:
    tools = [_definition(spec) for spec in request.tools]
    if request.output is None:
        return ModelRequestParameters(function_tools=tools)
    # A final tool works with every provider; where a model cannot be made to call one, pydantic-ai only offers it.
    return ModelRequestParameters(
        function_tools=tools, output_mode="tool", output_tools=[_definition(request.output)], allow_text_output=False
    )


def _definition(spec: ToolSpec) -> ToolDefinition:
    return ToolDefinition(name=spec.name, description=spec.description, parameters_json_schema=spec.parameters)


def _answer(response: ModelResponse, *, streamed: bool) -> ModelAnswer:
    if response.finish_reason == "content_filter":
        message, words = "the provider's content filter stopped the answer", refusal_in(response) or text_of(response)
        message = f"{message}: {words[:_SHOWN_CHARS]}" if words else message
        raise ModelError(message, retryable=False, spent=_spent(response))
    text, calls = text_of(response), calls_of(response)
    if not text.strip() and not calls:
        raise _empty(response)
    if response.state == "suspended":
        raise ModelError("the provider paused the answer, so it is not whole", retryable=True, spent=_spent(response))
    usage = response.usage
    return ModelAnswer(
        text=text,
        calls=calls,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=cost_usd(response),
        cached_input_tokens=usage.cache_read_tokens,
        provider=provider_field(response),
        origin=origin_of(response, streamed=streamed),
        spent_before=_rejected(response),
    )


def _spent(response: ModelResponse) -> Spent:
    return spent_of(response) + _rejected(response)


def _rejected(response: ModelResponse) -> Spent:
    """Return the usage of answers that the library's own chain of models has rejected."""
    usages = [one.usage for one in response.failed_attempts or () if one.usage is not None]
    return sum((Spent(1, one.input_tokens, one.output_tokens, float(one.cost or 0)) for one in usages), Spent())


def _empty(response: ModelResponse) -> ModelError:
    spent = _spent(response)
    if response.finish_reason == "length":
        message = f"{CUT_CAUSE} before there was any: max_tokens was used up; allow more"
        return ModelError(message, retryable=False, spent=spent, type=ANSWER_CUT)
    return ModelError("the answer has neither text nor tool calls", retryable=True, spent=spent)
