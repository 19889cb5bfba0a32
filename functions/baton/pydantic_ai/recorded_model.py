"""A model of pydantic-ai that answers as the model of an earlier job did, while the agent's tools run."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_ai import ModelMessage, ModelResponse
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton.agents.runner import JobInfo, Recorded
from baton.models.model import ModelError
from baton.pydantic_ai.run_state import RunState


class RecordedModel(FunctionModel):
    """Answers the requests of a run in order; it has no earlier messages.

    Args:
        job: the earlier job.
        turns: its transcript's entries of the model, in order.
        results: of its calls, by their ids.

    Raises:
        RunFailedError: it was no job of pydantic-ai's.
    """

    def __init__(
        self, job: JobInfo, turns: Sequence[Mapping[str, Any]], results: Mapping[str, Mapping[str, Any]]
    ) -> None:
        last = max((entry["turn"] for entry in turns), default=0)
        messages = RunState.of(Recorded(job, (), tuple(turns), results), last).messages
        answers = [message for message in messages if isinstance(message, ModelResponse)]

        def answer(history: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
            requested = sum(isinstance(message, ModelResponse) for message in history)
            if requested >= len(answers):
                raise ModelError(f"the recording of {job.job_id} has no answer {requested + 1}", retryable=False)
            return answers[requested]

        super().__init__(answer, model_name="recorded")
