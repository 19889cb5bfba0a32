"""A piece of work, traced: a model call with its tokens and cost, a tool run with its attempt.

Must not: change what the work does or what becomes of it.
"""

from collections.abc import Callable

from baton.core.effects import CallModel, RunTool, Work
from baton.core.step_results import ModelAnswered, ModelFailed, StepResult, ToolFailed
from baton.observability.tracing import work_done
from baton.ports import Claim, Clock, History
from baton.runtime.pipeline import Executor

Attributes = dict[str, str | int | float]


class Traced:
    """A executor, traced. `model_of`: the name of an agent's model."""

    def __init__(self, executor: Executor, clock: Clock, model_of: Callable[[str], str]) -> None:
        self._executor = executor
        self._clock = clock
        self._model_of = model_of

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Do the work."""
        start_ms = self._clock.now_ms()
        step_result = await self._executor(effect, history, claim)
        error = step_result.failure.message if isinstance(step_result, ModelFailed | ToolFailed) else ""
        if isinstance(effect, CallModel) and not _is_planned(step_result):
            work_done("model call", start_ms, self._of_model(effect, step_result), error)
        elif isinstance(effect, RunTool):
            attributes: Attributes = {"baton.tool": effect.call.tool, "baton.call.id": effect.call.id}
            work_done(f"tool run {effect.call.tool}", start_ms, attributes, error)
        return step_result

    def _of_model(self, effect: CallModel, step_result: StepResult | None) -> Attributes:
        if not isinstance(step_result, ModelAnswered):  # its agent may be unknown, and then so is its model
            return {}
        return {
            "gen_ai.request.model": self._model_of(effect.job.agent),
            "gen_ai.usage.input_tokens": step_result.input_tokens,
            "gen_ai.usage.output_tokens": step_result.output_tokens,
            "baton.cost_usd": step_result.cost_usd,
            "baton.cached": int(step_result.cached),
        }


def _is_planned(step_result: StepResult | None) -> bool:
    """Whether a plan said what is to be done, and no model: its agent may have none."""
    return isinstance(step_result, ModelAnswered) and not step_result.model_calls and not step_result.cached
