"""A plan's faults: all of them at once, one line for each, readable by an author or a planner.

Invariant: a plan without faults can be carried out: tools exist, steps have an order, and references lead to earlier
steps. Arguments fit as far as they are known before those steps have run.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from baton.sdk.planning.plan import PlannedStep, cycle_of, depth_of
from baton.sdk.planning.reference import TASK, InvalidReference, Place, known_so_far, references
from baton.sdk.tools.arguments import ARGUMENTS_LIMIT_BYTES, InvalidArguments
from baton.sdk.tools.tool import Tool
from baton_events.ids import canonical_json

MAX_STEPS = 100
MAX_DEPTH = 25
NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"


def plan_faults(
    steps: Sequence[PlannedStep],
    tools: Mapping[str, Tool],
    max_steps: int = MAX_STEPS,
    *,
    unread: Collection[str] = (),
    task: bool = False,
) -> Iterator[str]:
    """Yield all faults of a plan.

    Args:
        steps: the plan.
        tools: the tools that its steps may name.
        max_steps: the number of steps allowed, at most `MAX_STEPS`.
        unread: steps whose arguments could not be read, and whose faults are reported already.
        task: whether steps may refer to the job's task.
    """
    limit = min(max_steps, MAX_STEPS)
    if not steps:
        yield "the plan has no steps"
    if len(steps) > limit:
        yield f"the plan has {len(steps)} steps; at most {limit} are possible"
    names = [step.name for step in steps]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"{names.count(name)} steps are named {name!r}; give each a name of its own"
    for step in steps:
        faults = (
            *_step_faults(step, names),
            *(() if step.name in unread else _argument_faults(step, names, tools, task=task)),
        )
        yield from (f"step {step.name!r}: {fault}" for fault in faults)
    cycle = cycle_of(steps)
    if cycle:
        yield f"steps wait for each other in a circle: {' → '.join(cycle)} (each depends on the next)"
    elif depth_of(steps) > MAX_DEPTH:
        yield f"{depth_of(steps)} steps come one after the other; at most {MAX_DEPTH} are possible"


def _step_faults(step: PlannedStep, names: Sequence[str]) -> Iterator[str]:
    if not re.fullmatch(NAME_PATTERN, step.name):
        yield "a name has 1 to 64 letters, digits, '_', '.' or '-', and first a letter or digit"
    for other in dict.fromkeys(step.depends_on):
        if other not in names:
            yield f"depends_on names {other!r}, which is no step; there are: {_listed(names)}"


def _argument_faults(
    step: PlannedStep, names: Sequence[str], tools: Mapping[str, Tool], *, task: bool
) -> Iterator[str]:
    try:
        size_bytes = len(canonical_json(step.arguments).encode())
        found = tuple(references(step.arguments))
    except InvalidReference as error:
        yield str(error)
        return
    except (TypeError, ValueError, RecursionError) as error:
        yield f"its arguments are not JSON: {error}"
        return
    if size_bytes > ARGUMENTS_LIMIT_BYTES:
        yield f"its arguments have {size_bytes} bytes, over the limit of {ARGUMENTS_LIMIT_BYTES}"
    for _, reference in found:
        if reference.step not in names and reference.step != TASK:
            yield f"refers to {reference!r}, which is no step; there are: {_listed(names)}"
        elif reference.step not in step.depends_on and not (task and reference.step == TASK):
            yield f"refers to {reference!r} and does not depend on it; add {reference.step!r} to depends_on"
    if step.tool not in tools:
        yield f"there is no tool {step.tool!r}; there are: {_listed(tools)}"
    else:
        yield from _misfits(step, tools[step.tool], [place for place, _ in found])


def _misfits(step: PlannedStep, tool: Tool, referring: Sequence[Place]) -> Iterator[str]:
    """Yield the faults independent of references: one at, above or below a reference is not known yet."""
    for name in dict.fromkeys(place[0] for place in referring):
        if name not in tool.schema.names:
            known = _listed(tool.parameters["properties"])
            yield f"invalid arguments for tool {tool.name!r}: {name}: is not an argument (it has: {known})"
    try:
        tool.check(known_so_far(step.arguments))
    except InvalidArguments as error:
        for fault, place in zip(error.faults, error.places, strict=True):
            if not any(_on_one_way(place, reference) for reference in referring):
                yield f"invalid arguments for tool {tool.name!r}: {fault}"


def _on_one_way(place: Place, other: Place) -> bool:
    shorter = min(len(place), len(other))
    return place[:shorter] == other[:shorter]


def _listed(names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(sorted(set(names))) or "none"
