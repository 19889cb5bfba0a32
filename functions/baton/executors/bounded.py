"""What surrounds each piece of work: its input's limit, and its span where a deployment traces.

A store has a limit for one answer and a model for its input: what is beyond can never be read, however often it is
tried, so such work is not begun, and its job or step fails with the reason. Must not: change what the work does.
"""

from collections.abc import Callable

from baton.clock import Clock
from baton.container import Container
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, RunTool, Work
from baton.engine.step_results import ModelAnswered, ModelFailed, StepResult, ToolFailed
from baton.executors.executor import Executing
from baton.observability.tracing import work_done
from baton.runtime.pipeline import Executor
from baton.sdk.records import Failure

PROMPT_TOO_LARGE = "too_much_told"


def prompt_too_large(size_bytes: int, limit_bytes: int) -> Failure | None:
    """Why nothing can be made of what was said and what calls came to; None: it is little enough."""
    if size_bytes <= limit_bytes:
        return None
    message = (
        f"{size_bytes} bytes of conversation and results would be read at once, over the limit "
        f"of {limit_bytes}: let tools return less, or store what is large elsewhere and return a reference to it; an "
        "agent's `history` bounds what a long job reads (TOLD_LIMIT_BYTES raises the limit)"
    )
    return Failure(PROMPT_TOO_LARGE, message)


class PromptLimit:
    """Performs what `executor` does, of a turn or a tool call that is given at most so much."""

    def __init__(self, executor: Executing, limit_bytes: int) -> None:
        self._executor = executor
        self._limit_bytes = limit_bytes

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Do the work, or say why it cannot be done."""
        assert isinstance(effect, CallModel | RunTool), "others are given little"
        failure = prompt_too_large(history.size_bytes, self._limit_bytes)
        if failure is None:
            return await self._executor(effect, history, claim)
        return ModelFailed(failure) if isinstance(effect, CallModel) else ToolFailed(failure)


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


def bounded(container: Container, work: Executor) -> Executor:
    """Do a piece of work so."""
    limited = PromptLimit(work, container.settings.prompt_limit_bytes)
    if container.ports.tracer is None:
        return limited
    return Traced(limited, container.ports.clock, container.registry.model_name_of)
