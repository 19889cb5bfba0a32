"""Several models in a row: the next one answers when the one before fails temporarily.

Invariant: a model is passed over only for a temporary failure (429, 5xx, no connection, no answer in time). The next
model would repeat a permanent refusal, or hide a mistake. When all fail, the error names them all. Must not: remember
failures; each turn begins with the first model.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from baton.sdk.models.model import NOTHING_SPENT, Model, ModelAnswer, ModelError, ModelRequest, Origin, takes_file
from baton_events.values.text import text_of
from baton_events.values.waits import wait_seconds

_OF_THE_TIME = 0.98


class ModelChain:
    """`Agent(model=["openai:gpt-5-mini", "anthropic:claude-haiku-4-5"])`."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.models = tuple(models)
        self.name = ", ".join(model.name for model in self.models)
        self.reads_history = any(model.reads_history for model in self.models)
        types = {one for model in self.models for one in getattr(model, "takes_files", ())}
        self.takes_files = tuple(one for one in sorted(types) if all(takes_file(model, one) for model in self.models))

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Call one model after the other; each has an equal share of the time that is left.

        The last one's ends before the caller's: the caller would not know what failed, and what it has used.
        """
        clock = asyncio.get_running_loop().time
        ends_at = None if request.time_limit_seconds is None else clock() + request.time_limit_seconds * _OF_THE_TIME
        failures: list[tuple[str, ModelError]] = []
        for position, model in enumerate(self.models):
            waiting = len(self.models) - position
            share_seconds = None if ends_at is None else max(0.0, ends_at - clock()) / waiting
            try:
                answer = await _request(model, replace(request, time_limit_seconds=share_seconds))
                spent = sum((error.spent for _, error in failures), answer.spent_before)
                return replace(answer, origin=replace(answer.origin or Origin(), name=model.name), spent_before=spent)
            except ModelError as error:
                failures.append((model.name, error))
                if request.listener is not None:
                    await request.listener.withdrawn()
                if not error.retryable:
                    break
        raise _all_failed(failures)


def models_of(model: Model) -> tuple[Model, ...]:
    """Return the models of a chain, or the only one."""
    return model.models if isinstance(model, ModelChain) else (model,)


async def _request(model: Model, request: ModelRequest) -> ModelAnswer:
    try:
        async with asyncio.timeout(request.time_limit_seconds):
            return await model.answer(request)
    except ModelError:
        raise
    except TimeoutError as error:
        seconds = request.time_limit_seconds
        within = "" if seconds is None else f" within {seconds:.3g} s"
        raise ModelError(f"no answer{within}", retryable=True, unanswered=True) from error
    except Exception as error:
        # A model is foreign code: the next one may not have an error that this one did not foresee.
        raise ModelError(f"{type(error).__name__}: {text_of(error)}", retryable=True, unanswered=True) from error


def _all_failed(failures: Sequence[tuple[str, ModelError]]) -> ModelError:
    """Combine the failures: retryable if one of them is, after the shortest wait of any."""
    if len(failures) == 1:
        return failures[0][1]
    message = "; ".join(f"{name}: {error.message}" for name, error in failures)
    passing = [error for _, error in failures if error.retryable]
    waits = [wait_seconds(error.retry_after_seconds) or 0 for error in passing]
    shortest = min(waits, default=0) or None
    return ModelError(
        f"no model of the chain answered: {message}",
        retryable=bool(passing),
        retry_after_seconds=shortest,
        spent=sum((error.spent for _, error in failures), NOTHING_SPENT),
        type=failures[-1][1].type,
        unanswered=any(error.unanswered for _, error in failures),
    )
