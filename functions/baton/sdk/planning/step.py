"""One step of a plan that an agent's author writes: `Step("sum", add, {"a": result_of("x")}, depends_on=["x"])`.

Invariant: data only; the registry checks whether a plan is consistent, and lists all faults at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from msgspec import field
from msgspec.structs import force_setattr

from baton.sdk.planning.checking import MAX_STEPS, plan_faults
from baton.sdk.planning.plan import ON_FAILURE, PlannedStep
from baton.sdk.planning.reference import InvalidReference, recorded
from baton.sdk.records.record import Record
from baton.sdk.records.transcript import OnFailure
from baton.sdk.tools.tool import Tool


@runtime_checkable
class Named(Protocol):
    """A tool of a step besides a `Tool`: an agent."""

    @property
    def name(self) -> str: ...


class Step(Record, frozen=True, eq=False):
    """A step of a plan.

    Attributes:
        name: the name by which other steps refer to it.
        tool: the tool that it runs, or an agent that is given a task; or the name of one of these.
        arguments: the tool's; `result_of("other")` stands for the result of another step.
        depends_on: names of the steps that must be over before it starts.
        on_failure: what a failure of this step, after its tool's retries, means: "fail": the job fails; "skip": the
            steps that depend on it do not happen; "continue": they do, and are given `{"error": {"type", "message"}}`
            as its result. ("replan" is for planners: as "skip", and then another plan.)

    Raises:
        TypeError: a value is of the wrong type.
        ValueError: `on_failure` is none of these.
    """

    name: str
    tool: Named | str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    depends_on: Sequence[str] = ()
    on_failure: OnFailure = "fail"

    def __post_init__(self) -> None:
        """Check types, and make collections immutable."""
        if not isinstance(self.name, str) or not self.name:
            raise TypeError(f"Step({self.name!r}, ...): a step has a name")
        if not isinstance(self.tool, str | Named):
            raise TypeError(f"step {self.name!r}: {self.tool!r} is not a tool; decorate the function with @tool")
        if not isinstance(self.arguments, Mapping):
            raise TypeError(f"step {self.name!r}: arguments must be a dict, got {self.arguments!r}")
        if isinstance(self.depends_on, str) or not all(isinstance(name, str) for name in self.depends_on):
            raise TypeError(f"step {self.name!r}: depends_on must be a list of names, got {self.depends_on!r}")
        if self.on_failure not in ON_FAILURE:
            raise ValueError(f"step {self.name!r}: on_failure is one of {ON_FAILURE}, got {self.on_failure!r}")
        force_setattr(self, "arguments", dict(self.arguments))
        force_setattr(self, "depends_on", tuple(self.depends_on))

    @property
    def tool_name(self) -> str:
        return self.tool if isinstance(self.tool, str) else self.tool.name


def checked_plan(agent: str, plan: Sequence[Step]) -> tuple[Step, ...]:
    """Check an agent's plan, and make it immutable. Raises TypeError: it is no list of steps."""
    if isinstance(plan, str) or not isinstance(plan, Sequence):
        raise TypeError(f"agent {agent!r}: plan must be a list of steps, got {plan!r}")
    for step in plan:
        if not isinstance(step, Step):
            raise TypeError(f"agent {agent!r}: {step!r} in its plan is no step; write Step('name', tool, {{...}})")
    return tuple(plan)


def planned(plan: Sequence[Step]) -> tuple[PlannedStep, ...]:
    """Return the plan in its recorded form. Raises InvalidReference: a literal object looks like a reference."""
    return tuple(
        PlannedStep(step.name, step.tool_name, recorded(step.arguments), tuple(step.depends_on), step.on_failure)
        for step in plan
    )


def static_faults(plan: Sequence[Step], tools: Mapping[str, Tool], max_steps: int = MAX_STEPS) -> Iterator[str]:
    """Yield all faults of a plan that an author wrote."""
    steps: list[PlannedStep] = []
    unread: set[str] = set()
    for step in plan:
        try:
            steps += planned([step])
        except InvalidReference as error:
            yield f"step {step.name!r}: {error}"
            unread.add(step.name)
            steps.append(PlannedStep(step.name, step.tool_name, {}, tuple(step.depends_on)))
        if step.on_failure == "replan":
            yield f"step {step.name!r}: on_failure='replan' needs a planner, and this plan is fixed; use another one"
    yield from plan_faults(steps, tools, max_steps, unread=unread, task=True)
