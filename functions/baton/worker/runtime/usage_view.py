"""Usage and its cost as JSON, with the same names for a step, a job, a session and a tenant.

A step is a turn or a tool call. Invariant: a job's steps and the usage beside them add up to its usage ledger. Usage
that no part holds (a submission, slot requests) is beside them. Pure.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace
from pydantic.alias_generators import to_camel

from baton.engine.all_jobs.ends import COUNTED
from baton.engine.state import Usage
from baton.sdk.records.limits import Used
from baton.settings.service_prices import Paid, Prices, cost_of
from baton.store.records.jobs import Snapshot


def usage_view(usage: Usage, used: Used) -> dict[str, Any]:
    """Return a job's usage, without the jobs below it."""
    return {
        "inputTokens": used.input_tokens,
        "outputTokens": used.output_tokens,
        "cachedInputTokens": used.cached_input_tokens,
        "modelCalls": used.model_calls,
        "cachedCalls": used.cached_calls,
        "messages": usage.messages,
        "deliveries": usage.deliveries,
        "redisRequests": usage.redis_requests,
        "redisCommands": usage.redis_commands,
        "redisBytes": usage.redis_bytes,
        "streamAppends": usage.appends,
        "functionMs": usage.function_ms,
        "gbSeconds": gb_seconds(usage.mb_ms),
        "costUsd": round(used.cost_usd, 6),
    }


def job_cost(usage: Usage, used: Used, prices: Prices) -> dict[str, float]:
    """Return the cost of that usage, model calls included."""
    paid = Paid(usage.messages, usage.deliveries, usage.redis_commands, usage.redis_bytes, usage.mb_ms, used.cost_usd)
    return cost_of(paid, prices)


def session_usage(jobs: Sequence[Snapshot], prices: Prices) -> dict[str, Any]:
    views = [usage_view(each.usage, each.job.used) for each in jobs]
    costs = [job_cost(each.usage, each.job.used, prices) for each in jobs]
    return {"jobs": len(jobs), **summed(views), "cost": {name: round(much, 9) for name, much in summed(costs).items()}}


def summed(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Sum the rows up, name by name."""
    return {name: sum(row[name] for row in rows) for name in (rows[0] if rows else {})}


@cache  # a function that shows no usage starts without it
def _counts() -> Mapping[str, str]:
    """Return the amounts of a job's usage ledger by their names in an event's part."""
    return {to_camel(name): name for name in ("appends", *COUNTED)}


def gb_seconds(mb_ms: int) -> float:
    """Return memory times time, as functions are billed."""
    return round(mb_ms / 1024 / 1000, 6)


class _Step(Struct):
    turn: int
    call_id: str | None = None
    tool: str | None = None
    usage: Usage = Usage()
    used: Used = Used()


def step_usage(snapshot: Snapshot, parts: Iterable[str], prices: Prices) -> dict[str, Any]:
    """Return `steps` in the order in which they first came to a COMMIT, and `besideSteps`.

    `parts`: those of the job's stream, read before the snapshot, or `besideSteps` may be negative.
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
            step.used = _with_data(step.used, data)
    views = [
        {"turn": step.turn, "callId": step.call_id, "tool": step.tool, **_view(step.usage, step.used, prices)}
        for step in steps.values()
    ]
    return {"steps": views, "besideSteps": _view(*_beside(snapshot, list(steps.values())), prices)}


def _view(usage: Usage, used: Used, prices: Prices) -> dict[str, Any]:
    return {"usage": usage_view(usage, used), "cost": job_cost(usage, used, prices)}


def _plus(usage: Usage, more: dict[str, int]) -> Usage:
    """Add an event's amounts; names that a newer version may have added are ignored."""
    counts = _counts()
    known = {counts[name]: much for name, much in more.items() if name in counts}
    return replace(usage, **{name: getattr(usage, name) + much for name, much in known.items()})


def _with_data(used: Used, data: dict[str, Any]) -> Used:
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
    left = {
        name: getattr(usage, name) - sum(getattr(step.usage, name) for step in steps) for name in _counts().values()
    }
    rest = {name: much - sum(getattr(step.used, name) for step in steps) for name, much in asdict(used).items()}
    rest["cost_usd"] = max(0.0, rest["cost_usd"])  # the parts have rounded amounts
    return replace(usage, **left), Used(**rest)
