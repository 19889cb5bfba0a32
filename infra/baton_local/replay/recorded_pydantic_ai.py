"""A model of pydantic-ai that answers as the model of a recorded job did, while the agent's tools run."""

from pydantic_ai import ModelMessage, ModelResponse
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton.agents.runner import JobInfo, Recorded, RunFailedError
from baton.pydantic_ai.run_state import RunState
from baton_local.replay.recorded import RecordedJob, ReplayError


def recorded_function_model(job: RecordedJob) -> FunctionModel:
    """Make the model; the job has no earlier ones in its session.

    Raises:
        ReplayError: it was no job of pydantic-ai's.
    """
    answers = _answers(job)

    def answer(history: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        turn = sum(isinstance(message, ModelResponse) for message in history)
        if turn >= len(answers):
            raise ReplayError(f"the recording of {job.id} has no answer in turn {turn + 1}")
        return answers[turn]

    return FunctionModel(answer, model_name="recorded")


def _answers(job: RecordedJob) -> list[ModelResponse]:
    info = JobInfo(job_id=job.id, session_id=job.session_id, tenant=job.tenant, task=job.task_description)
    turns = tuple(entry for entry in job.transcript if entry.get("role") == "model")
    results = {call.id: call.outcome for call in job.tool_calls if call.outcome is not None}
    try:
        state = RunState.of(Recorded(info, (), turns, results), max(job.turns(), default=0))
    except RunFailedError as error:
        raise ReplayError(f"{job.id} cannot answer for an agent of pydantic-ai: {error}") from error
    return [message for message in state.messages if isinstance(message, ModelResponse)]
