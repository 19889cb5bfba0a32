"""The policies for a conversation that gets long, as `Agent(history=…)` names them.

Invariant: a policy is data, checked when it is made. Under each of them the model gets instructions and task, and a
tool call with its result or not at all. Must not: change a conversation (`fitting` does).
"""

from baton.sdk.models.model import Model
from baton.sdk.records.limits import MOST, is_whole
from baton.sdk.records.record import Record

# Less has no room for instructions, a task and one turn.
LEAST_TOKENS = 500


class KeepAll(Record, frozen=True):
    """Send the model every turn, whatever its size."""


class DropOldest(Record, frozen=True):
    """Send the model the newest turns that fit.

    Attributes:
        max_tokens: of instructions, tools and messages together; leave room for the answer in the model's window.
    """

    max_tokens: int

    def __post_init__(self) -> None:
        """Refuse a limit that is too small for any turn."""
        _check_max_tokens(self, self.max_tokens)


class Summarize(Record, frozen=True):
    """Replace older turns by a summary that a model writes, once, when the conversation outgrows the limit.

    Attributes:
        max_tokens: of instructions, tools and messages together; leave room for the answer in the model's window.
        keep_turns: the number of newest turns that stay as they are.
        model: the model that writes the summary, by name or as an object; None: the agent's own model.
    """

    max_tokens: int
    keep_turns: int = 4
    model: Model | str | None = None

    def __post_init__(self) -> None:
        _check_max_tokens(self, self.max_tokens)
        if not is_whole(self.keep_turns) or self.keep_turns < 1:
            raise ValueError(f"Summarize(keep_turns={self.keep_turns!r}): a whole number from 1")
        if isinstance(self.model, type) or (self.model is not None and not isinstance(self.model, str | Model)):
            raise TypeError(f"Summarize(model={self.model!r}): a model's name, a model object, or None")


HistoryPolicy = KeepAll | DropOldest | Summarize


def _check_max_tokens(policy: DropOldest | Summarize, max_tokens: object) -> None:
    name = type(policy).__name__
    if not is_whole(max_tokens) or max_tokens < LEAST_TOKENS:
        raise ValueError(f"{name}(max_tokens={max_tokens!r}): a whole number from {LEAST_TOKENS} to {MOST}")
