"""A turn of an agent that plans: of one whose model writes the plans, and of one whose plan is fixed.

A planner's model makes a plan, its steps run, and the next turn reflects on their results: the final answer, or another
plan. A fixed plan needs no model: the first turn gives the plan, the second the answer. Invariant: only a plan without
faults is carried out; every other goes back to the model as a call that could not run. The answer follows from the plan
as it is recorded, which may be of an older version of the code.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from msgspec import Struct, structs
from msgspec.structs import replace as struct_replace

from baton.engine.commit.answers import History
from baton.engine.state import Job
from baton.engine.step_results import ModelAnswered, ModelFailed
from baton.sdk.agents.agent import Agent
from baton.sdk.agents.output import FINAL_TOOL
from baton.sdk.models.fences import json_in
from baton.sdk.models.model import Call, ModelAnswer, ModelRequest, ToolSpec
from baton.sdk.planning.checking import plan_faults
from baton.sdk.planning.plan import PLAN_TOOL, PlannedStep, answer_of, plans_in, rounds_in, wanted_of
from baton.sdk.planning.planner import InvalidPlan, plan_spec, planner_instructions, read_plan
from baton.sdk.planning.reference import UnresolvedReference, filled
from baton.sdk.planning.step import Step, planned
from baton.sdk.records.limits import since
from baton.sdk.records.transcript import Failure, Wanted
from baton.sdk.tools.tool import Tool
from baton.worker.executors.model_call import answered, keeps_cut, refused, step_result, unusable
from baton_events.values.text import storable, text_of

_NOT_ALONE = f"call {PLAN_TOOL!r} alone: tools run as steps of a plan, and an answer comes when the steps are over"
_NO_PLAN = f"tools run as steps of a plan: call {PLAN_TOOL!r}"


class PlannerTurn(Struct, frozen=True):
    """One turn; `rounds_made`: plans carried out before it. `max_steps`: the tool calls that the job has left."""

    agent: Agent
    tools: Mapping[str, Tool]
    specs: tuple[ToolSpec, ...]
    rounds_made: int
    max_steps: int
    keeps_cut: Callable[[], bool] = bool

    @property
    def prompt_specs(self) -> tuple[ToolSpec, ...]:
        """Every tool that the model is offered, in any form."""
        return (plan_spec(list(self.tools)), *self.specs)

    def request(self, request: ModelRequest) -> ModelRequest:
        """Return the request for a plan over the tools, which the model cannot call by itself."""
        rounds_left = max(0, self.agent.max_rounds - self.rounds_made)
        return replace(
            request,
            instructions=planner_instructions(request.instructions, self.specs, rounds_left),
            # It stays in the last round, too: providers require every tool that was called before.
            tools=(plan_spec(list(self.tools)),),
            step_tools=self.specs,
        )

    def answered(self, answer: ModelAnswer) -> ModelAnswered | ModelFailed:
        """Return what follows: a plan, the final answer, or faults that go back to the model."""
        try:
            plan = None if answer.is_cut else _plan_in(answer)
            if plan is not None:
                return self._planned(answer, plan)
            strangers = [call for call in answer.calls if call.tool != FINAL_TOOL]
            if strangers and not answer.is_cut:
                return _all_refused(answer)
        except Exception as error:  # noqa: BLE001 - a model is foreign code, and so is all that it returns
            return unusable(answer, error)
        step_result = answered(answer, {}, self.agent.output, self.keeps_cut)
        if isinstance(step_result, ModelAnswered) and self.rounds_made:
            return structs.replace(step_result, reflection=storable(answer.text))
        return step_result

    def _planned(self, answer: ModelAnswer, plan: Call) -> ModelAnswered:
        text = storable(answer.text)
        if self.rounds_made >= self.agent.max_rounds:
            message = f"no further plan is possible (max_rounds={self.agent.max_rounds}): answer with what there is"
            return step_result(answer, text, (refused(plan, Failure("no_rounds_left", message)),))
        try:
            steps = _steps_of(plan, self.tools, self.max_steps)
        except InvalidPlan as error:
            return step_result(answer, text, (refused(plan, Failure("invalid_plan", text_of(error))),))
        reflection = storable(str(plan.arguments.get("reflection", ""))) or text
        return structs.replace(
            step_result(answer, text, wanted_of(steps, self.tools)),
            plan=True,
            reflection=reflection if self.rounds_made else "",
        )


def _steps_of(plan: Call, tools: Mapping[str, Tool], max_steps: int) -> tuple[PlannedStep, ...]:
    if plan.fault:
        raise InvalidPlan(plan.fault)
    return read_plan(plan.arguments, tools, max_steps)


def planner_turn(
    agent: Agent, job: Job, tools: Mapping[str, Tool], specs: tuple[ToolSpec, ...], history: History
) -> PlannerTurn:
    """Return the turn that follows this history, all of it."""
    left = max(0, job.limits.tool_calls - since(job.used, job.before).tool_calls)
    rounds_made = rounds_in(history.transcript)
    return PlannerTurn(agent, tools, specs, rounds_made, left, partial(keeps_cut, agent, job, history))


def _plan_in(answer: ModelAnswer) -> Call | None:
    """Return the plan in the answer; some models write it as text. None: it is no plan, or not a plan alone."""
    if len(answer.calls) == 1 and answer.calls[0].tool == PLAN_TOOL:
        return answer.calls[0]
    if answer.calls:
        return None
    body = json_in(answer.text)
    if not body.startswith("{"):
        return None
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return Call(PLAN_TOOL, found) if _looks_like_a_plan(found) else None


def _looks_like_a_plan(found: dict[str, Any]) -> bool:
    """Return whether it has nothing but steps that name tools; an answer in JSON may have steps of its own."""
    steps = found.get("steps")
    return (
        found.keys() <= {"steps", "reflection"}
        and isinstance(steps, list)
        and bool(steps)
        and all(isinstance(step, dict) and "tool" in step for step in steps)
    )


def _all_refused(answer: ModelAnswer) -> ModelAnswered:
    planning = any(call.tool == PLAN_TOOL for call in answer.calls)
    fault = Failure("no_plan", _NOT_ALONE if planning else _NO_PLAN)
    wanted: tuple[Wanted, ...] = tuple(refused(call, fault) for call in answer.calls)
    return step_result(answer, storable(answer.text), wanted)


def static_turn(plan: Sequence[Step], tools: Mapping[str, Tool], history: History) -> ModelAnswered | ModelFailed:
    """Return the answer of this turn; `tools` are the agent's, `history` is all of it."""
    made = plans_in(history.transcript)
    if made:
        text, output = answer_of(made[-1], history.results)
        return ModelAnswered(text, output=output, model_calls=0)
    try:
        steps = [
            struct_replace(step, arguments=filled(step.arguments, history.transcript[0])) for step in planned(plan)
        ]
    except UnresolvedReference as error:
        return _unfit([str(error)])
    # The registry found no fault in the plan, so any fault comes from the task's data.
    faults = list(plan_faults(steps, tools))
    return _unfit(faults) if faults else ModelAnswered("", wanted_of(steps, tools), plan=True, model_calls=0)


def _unfit(faults: Sequence[str]) -> ModelFailed:
    message = "\n".join(["the task does not fit the agent's plan:", *faults])
    return ModelFailed(Failure("invalid_task", storable(message)))
