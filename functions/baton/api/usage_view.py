"""What was used, and what that costs, as JSON; the same names for a job, a session, a tenant."""

from collections.abc import Mapping, Sequence
from typing import Any

from baton.configuration.prices import Cost, Paid, Prices, cost_of
from baton.core.limits import Used
from baton.core.state import Usage
from baton.ports import Snapshot


def usage_view(usage: Usage, used: Used) -> dict[str, Any]:
    """What a job has used, without the jobs below it."""
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
    """What that costs, model calls included."""
    paid = Paid(usage.messages, usage.deliveries, usage.redis_commands, usage.redis_bytes, usage.mb_ms, used.cost_usd)
    return cost_view(cost_of(paid, prices))


def session_usage(jobs: Sequence[Snapshot], prices: Prices) -> dict[str, Any]:
    """What the jobs of a page of a session have used, and what that costs."""
    views = [usage_view(each.usage, each.job.used) for each in jobs]
    costs = [job_cost(each.usage, each.job.used, prices) for each in jobs]
    return {"jobs": len(jobs), **_sum(views), "cost": {name: round(much, 9) for name, much in _sum(costs).items()}}


def _sum(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: sum(row[name] for row in rows) for name in (rows[0] if rows else {})}


def cost_view(cost: Cost) -> dict[str, float]:
    """US dollars, by who is paid."""
    return {
        "queueUsd": _usd(cost.queue_usd),
        "redisUsd": _usd(cost.redis_usd),
        "functionsUsd": _usd(cost.functions_usd),
        "modelUsd": _usd(cost.model_usd),
        "totalUsd": _usd(cost.total_usd),
    }


def gb_seconds(mb_ms: int) -> float:
    """Memory times time, as functions are billed."""
    return round(mb_ms / 1024 / 1000, 6)


def _usd(amount: float) -> float:
    """Without the dust of floats; a command costs two millionths of a dollar."""
    return round(amount, 9)
