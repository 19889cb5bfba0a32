"""What a model's answer has used, as it is recorded: also of an answer that is not taken.

Invariant: each count is a whole number from 0 to 2**53, and each cost is finite, so that every sum of them can be
written and read. A count that a model does not give is zero. Must not: estimate what nobody counted.
"""

from typing import Any

from baton.engine.step_results import ExtraUsage, ModelFailed
from baton.models.model import ModelAnswer, ModelError, Spent
from baton.sdk.records import Failure
from baton_events.values.json_value import Unrecordable
from baton_events.values.text import cut, text_of

_MOST = 2**53
_SHOWN_CHARS = 80


def model_failed(error: ModelError) -> ModelFailed:
    """Return a model's failure, with what it has used."""
    failure = Failure(text_of(error.type), text_of(error.message), retryable=bool(error.retryable))
    return ModelFailed(failure, error.retry_after_seconds, extra_usage=usage_of_spent(error.spent))


def usage_of_spent(spent: Spent) -> ExtraUsage:
    """Return the usage of answers that were not taken.

    Raises:
        Unrecordable: a count of it is no such number.
    """
    return ExtraUsage(
        model_calls=count(spent.model_calls, "spent.model_calls"),
        input_tokens=count(spent.input_tokens, "spent.input_tokens"),
        output_tokens=count(spent.output_tokens, "spent.output_tokens"),
        cost_usd=cost(spent.cost_usd, "spent.cost_usd"),
    )


def usage_of(answer: object) -> ExtraUsage:
    """Return the usage of an answer that is not taken; none where it cannot be read."""
    try:
        assert isinstance(answer, ModelAnswer), "a model returns a ModelAnswer"
        if answer.cached:
            return ExtraUsage(cached_calls=1)
        own = Spent(1, answer.input_tokens, answer.output_tokens, answer.cost_usd)
        return usage_of_spent(own) + usage_of_spent(answer.spent_before)
    except Exception:  # noqa: BLE001 - foreign code
        return ExtraUsage(model_calls=1)


def count(value: Any, place: str) -> int:
    """Return a count of tokens; a missing one is zero.

    Raises:
        Unrecordable: it is no such number.
    """
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST or value != int(value):
        raise Unrecordable(place, f"{_shown(value)}: give a whole number from 0 to 2**53, or None")
    return int(value)


def cost(value: Any, place: str) -> float:
    """Return a cost in US dollars; a missing one is zero.

    Raises:
        Unrecordable: it is no such number.
    """
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST:
        raise Unrecordable(place, f"{_shown(value)}: give a number of dollars from 0, or None")
    return float(value)


def _shown(value: Any) -> str:
    try:
        return cut(repr(value), _SHOWN_CHARS)
    except Exception:  # noqa: BLE001 - foreign code; a number of many digits, too
        return f"a {type(value).__name__}"
