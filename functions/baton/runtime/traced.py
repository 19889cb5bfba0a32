"""A piece of work, traced: a model call with its tokens and cost, a tool run with its attempt.

Must not: change what the work does or what becomes of it.
"""

from collections.abc import Callable

from baton.core.effects import CallModel, RunTool, Work
from baton.core.happenings import Happening, ModelAnswered, ModelFailed, ToolFailed
from baton.observability.tracing import work_done
from baton.ports import Claim, Clock, History
from baton.runtime.pipeline import Performer

Attributes = dict[str, str | int | float]


class Traced:
    """A performer, traced. `model_of`: the name of an agent's model."""

    def __init__(self, performer: Performer, clock: Clock, model_of: Callable[[str], str]) -> None:
        self._performer = performer
        self._clock = clock
        self._model_of = model_of

    async def __call__(self, effect: Work, history: History, claim: Claim) -> Happening | None:
        """Do the work."""
        start_ms = self._clock.now_ms()
        happened = await self._performer(effect, history, claim)
        error = happened.failure.message if isinstance(happened, ModelFailed | ToolFailed) else ""
        if isinstance(effect, CallModel) and not _is_planned(happened):
            work_done("model call", start_ms, self._of_model(effect, happened), error)
        elif isinstance(effect, RunTool):
            attributes: Attributes = {"baton.tool": effect.call.tool, "baton.call.id": effect.call.id}
            work_done(f"tool run {effect.call.tool}", start_ms, attributes, error)
        return happened

    def _of_model(self, effect: CallModel, happened: Happening | None) -> Attributes:
        if not isinstance(happened, ModelAnswered):  # its agent may be unknown, and then so is its model
            return {}
        return {
            "gen_ai.request.model": self._model_of(effect.job.agent),
            "gen_ai.usage.input_tokens": happened.input_tokens,
            "gen_ai.usage.output_tokens": happened.output_tokens,
            "baton.cost_usd": happened.cost_usd,
            "baton.cached": int(happened.cached),
        }


def _is_planned(happened: Happening | None) -> bool:
    """Whether a plan said what is to be done, and no model: its agent may have none."""
    return isinstance(happened, ModelAnswered) and not happened.model_calls and not happened.cached
