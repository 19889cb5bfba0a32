"""A turn of an agent whose plan is fixed: the first one gives the plan, the second the answer. No model is asked.

Invariant: the answer follows from the plan as it is recorded, which an older version of the code may have given.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from events.core.happenings import ModelAnswered, ModelFailed
from events.core.state import Failure
from events.ports import History
from functions.agents.foreign_text import storable
from functions.planning.carried_out import answer_of, plans_in
from functions.planning.checking import plan_faults
from functions.planning.plan import wanted_of
from functions.planning.resolving import UnresolvedReference, filled
from functions.planning.step import Step, planned
from functions.tools.tool import Tool


def static_turn(plan: Sequence[Step], tools: Mapping[str, Tool], history: History) -> ModelAnswered | ModelFailed:
    """What this turn says; `tools` are the agent's, `history` is all of it."""
    made = plans_in(history.transcript)
    if made:
        text, output = answer_of(made[-1], history.results)
        return ModelAnswered(text, output=output, model_calls=0)
    try:
        steps = [replace(step, arguments=filled(step.arguments, history.transcript[0])) for step in planned(plan)]
    except UnresolvedReference as error:
        return _unfit([str(error)])
    # The registry found no fault in the plan: what there is now is in what the task gave.
    faults = list(plan_faults(steps, tools))
    return _unfit(faults) if faults else ModelAnswered("", wanted_of(steps, tools), plan=True, model_calls=0)


def _unfit(faults: Sequence[str]) -> ModelFailed:
    message = "\n".join(["the task does not fit the agent's plan:", *faults])
    return ModelFailed(Failure("invalid_task", storable(message)))
