"""A turn of an agent whose plan is fixed: the first one gives the plan, the second the answer. No model is asked.

Invariant: the answer follows from the plan as it is recorded, which an older version of the code may have given.
"""

from collections.abc import Mapping, Sequence

from events.core.happenings import ModelAnswered
from events.ports import History
from functions.planning.carried_out import answer_of, plans_in
from functions.planning.plan import wanted_of
from functions.planning.step import Step, planned
from functions.tools.tool import Tool


def static_turn(plan: Sequence[Step], tools: Mapping[str, Tool], history: History) -> ModelAnswered:
    """What this turn says; `tools` are the agent's, `history` is all of it."""
    made = plans_in(history.transcript)
    if made:
        text, output = answer_of(made[-1], history.results)
        return ModelAnswered(text, output=output, model_calls=0)
    return ModelAnswered("", wanted_of(planned(plan), tools), plan=True, model_calls=0)
