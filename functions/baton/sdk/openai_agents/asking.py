"""The model of a piece: it repeats the recorded answer, asks the agent's own model once."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

from agents import ModelProvider, ModelResponse, Usage
from agents.models.interface import Model
from openai.types.responses import Response, ResponseCompletedEvent

from baton.sdk.models.model import Listener


class Asking(Protocol):
    """What a model of a piece asks of it."""

    listener: Listener | None

    def recorded_answer(self) -> list[Any] | None:
        """Count a request, and return the recorded answer to it; None: the model is asked."""
        ...


class AskedOnce(Model):
    """Stands before an agent's own model."""

    def __init__(self, inner: Model, piece: Asking) -> None:
        self._inner, self._piece = inner, piece

    async def get_response(self, *args: Any, **given: Any) -> ModelResponse:
        """Ask the agent's own model."""
        return await self._inner.get_response(*args, **given)

    def get_retry_advice(self, request: Any) -> Any:
        """Return the own model's advice."""
        return self._inner.get_retry_advice(request)

    async def stream_response(self, *args: Any, **given: Any) -> AsyncIterator[Any]:
        """Stream the answer where somebody listens and the model can; else ask it as `Runner.run` does."""
        output = self._piece.recorded_answer()
        if output is not None:
            yield completed(output, None)
            return
        listener, begun = self._piece.listener, False
        try:
            if listener is not None:
                async for event in self._inner.stream_response(*args, **given):
                    begun = True
                    if event.type == "response.output_text.delta":
                        await listener.write(event.delta)
                    yield event
        except NotImplementedError:
            if begun:
                raise
            listener = None
        if listener is None:
            answer = await self._inner.get_response(*args, **given)
            yield completed(answer.output, answer.usage, answer.response_id)


class AskedProvider(ModelProvider):
    """Stands before the models that are known by their names."""

    def __init__(self, inner: ModelProvider, piece: Asking) -> None:
        self._inner, self._piece = inner, piece

    def get_model(self, model_name: str | None) -> Model:
        """Return the named model, to be asked once."""
        return AskedOnce(self._inner.get_model(model_name), self._piece)


def completed(output: list[Any], used: Usage | None, response_id: str | None = None) -> ResponseCompletedEvent:
    """Make the last event of a stream whose answer is whole."""
    response = Response.model_construct(id=response_id or "answer", output=output, usage=used)
    return ResponseCompletedEvent.model_construct(type="response.completed", sequence_number=0, response=response)
