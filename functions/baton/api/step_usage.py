"""What each step of a job has used, a turn or a tool call, and what comes beside its steps; the same names as a job's.

Invariant: steps and what is beside them add up to the job's usage ledger; what no part tells (a submission, words to
the admission, a job of an older version) is beside them. Pure.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import asdict, replace
from pydantic.alias_generators import to_camel

from baton.api.usage_view import job_cost, usage_view
from baton.configuration.prices import Prices
from baton.core.ends import COUNTED
from baton.core.limits import Used
from baton.core.state import Usage
from baton.ports import Snapshot

# Of a job's usage ledger, by the names that an event's part has for them.
_COUNTS = {to_camel(name): name for name in ("appends", *COUNTED)}


@dataclass(slots=True)
class _Step:
    turn: int
    call_id: str | None = None
    tool: str | None = None
    usage: Usage = field(default_factory=Usage)
    used: Used = field(default_factory=Used)


def step_usage(snapshot: Snapshot, parts: Iterable[str], prices: Prices) -> dict[str, Any]:
    """`steps` in the order in which they first came to a COMMIT, and `besideSteps`.

    `parts`: those of the job's stream, read before the snapshot, or what is beside may be less than nothing.
    """
    steps: dict[str | int, _Step] = {}
    for part in map(json.loads, parts):
        data = part.get("data")
        if part.get("type") == "data-event":
            step = steps.setdefault(data.get("callId", data["turn"]), _Step(data["turn"]))
            step.call_id, step.tool = data.get("callId"), data.get("tool")
            step.usage = _plus(step.usage, data.get("used", {}))
        elif part.get("type") == "data-usage":
            step = steps.setdefault(data["turn"], _Step(data["turn"]))
            step.used = _said(step.used, data)
    views = [
        {"turn": step.turn, "callId": step.call_id, "tool": step.tool, **_view(step.usage, step.used, prices)}
        for step in steps.values()
    ]
    return {"steps": views, "besideSteps": _view(*_beside(snapshot, list(steps.values())), prices)}


def _view(usage: Usage, used: Used, prices: Prices) -> dict[str, Any]:
    return {"usage": usage_view(usage, used), "cost": job_cost(usage, used, prices)}


def _plus(usage: Usage, more: dict[str, int]) -> Usage:
    """Names that a newer version may have added are none of ours."""
    known = {_COUNTS[name]: much for name, much in more.items() if name in _COUNTS}
    return replace(usage, **{name: getattr(usage, name) + much for name, much in known.items()})


def _said(used: Used, data: dict[str, Any]) -> Used:
    cached = bool(data.get("cached"))
    return replace(
        used,
        input_tokens=used.input_tokens + data["inputTokens"],
        output_tokens=used.output_tokens + data["outputTokens"],
        cost_usd=used.cost_usd + data["costUsd"],
        model_calls=used.model_calls + (not cached),
        cached_calls=used.cached_calls + cached,
    )


def _beside(snapshot: Snapshot, steps: list[_Step]) -> tuple[Usage, Used]:
    usage, used = snapshot.usage, snapshot.job.used
    left = {name: getattr(usage, name) - sum(getattr(step.usage, name) for step in steps) for name in _COUNTS.values()}
    rest = {name: much - sum(getattr(step.used, name) for step in steps) for name, much in asdict(used).items()}
    rest["cost_usd"] = max(0.0, rest["cost_usd"])  # each part says it rounded
    return replace(usage, **left), Used(**rest)
