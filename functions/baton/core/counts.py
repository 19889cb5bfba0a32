"""What a decision adds to the deployment's counters: names and how much, for COMMIT to carry along.

A name is what is counted and, after a colon each, what it is told apart by. Invariant: counters are sums, so that
stateless functions add up; nothing is decided by them. Each name costs COMMIT a command, so only what is rare is
counted here: what a job has used is counted once, when it has ended. Must not: count what cannot be told apart in a
bounded number of names (a job, a session, a tenant).
"""

import json
from collections.abc import Sequence

from msgspec.structs import replace

from baton.core.effects import Decision
from baton.core.state import Job
from baton.core.step_results import ModelFailed, StepResult

MODEL_FAILURES = "model_failures"
CHECKPOINTS = "checkpoints"
SWEEPS, REDRIVEN, UNDELIVERED = "sweeps", "swept_events", "undelivered"
COMPLETIONS = "completions"
LIST_GAPS = "list_gaps"
HUNG_TOOLS = "hung_tools"

_CHECKPOINT = '"data-checkpoint"'


def counted(job: Job, step_result: StepResult, decision: Decision) -> Decision:
    """The decision, with what it adds to the counters."""
    changes = decision.changes
    if changes is None:
        return decision
    counts = checkpoints_in(changes.parts)
    if isinstance(step_result, ModelFailed):
        counts[f"{MODEL_FAILURES}:{job.agent}:{step_result.failure.type}"] = 1
    return replace(decision, changes=replace(changes, counts=counts)) if counts else decision


def checkpoints_in(parts: Sequence[str]) -> dict[str, int]:
    """Checkpoints among parts of a job's stream, by type and status."""
    sums: dict[str, int] = {}
    for text in parts:
        if _CHECKPOINT not in text:
            continue
        part = json.loads(text)
        if part.get("type") == "data-checkpoint":
            name = f"{CHECKPOINTS}:{part['data'].get('type', '')}:{part['data'].get('status', '')}"
            sums[name] = sums.get(name, 0) + 1
    return sums
