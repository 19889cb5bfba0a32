"""A turn of an agent whose plan is fixed: the first one gives the plan, the second the answer. No model is asked.

Invariant: the answer follows from the plan as it is recorded, which an older version of the code may have given.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from baton.agents.foreign_text import storable
from baton.core.state import Failure
from baton.core.step_results import ModelAnswered, ModelFailed
from baton.planning.carried_out import answer_of, plans_in
from baton.planning.checking import plan_faults
from baton.planning.plan import wanted_of
from baton.planning.resolving import UnresolvedReference, filled
from baton.planning.step import Step, planned
from baton.ports import History
from baton.tools.tool import Tool


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
