"""A model of pydantic-ai that answers as the model of an earlier job did, while the agent's tools run."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_ai import ModelMessage, ModelResponse
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton.sdk.models.model import ModelError
from baton.sdk.pydantic_ai.run_state import RunState


class RecordedModel(FunctionModel):
    """Answers the requests of a run in order; it has no earlier messages.

    `job_id`: the earlier job's. `turns`: its transcript's entries of the model, in order.

    Raises RunFailedError: it was no job of pydantic-ai's.
    """

    def __init__(self, job_id: str, turns: Sequence[Mapping[str, Any]]) -> None:
        answers = [message for message in RunState.after(turns).messages if isinstance(message, ModelResponse)]

        def answer(history: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
            requested = sum(isinstance(message, ModelResponse) for message in history)
            if requested >= len(answers):
                raise ModelError(f"the recording of {job_id} has no answer {requested + 1}", retryable=False)
            return answers[requested]

        super().__init__(answer, model_name="recorded")
