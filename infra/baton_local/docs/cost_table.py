"""The tables of costs in docs/operations.md: what a typical job uses, at list prices, for so many jobs a month.

Invariant: prices are those of `baton.settings.service_prices`, and use is what its ledger and the meters said
(`tests/e2e/test_costs.py` holds it); what is assumed is named here and stated on the page. Pure.
"""

from collections.abc import Mapping

from msgspec.structs import fields

from baton.settings.service_prices import LIST, LIST_PRICES, Cost, Paid, cost_of
from baton_local.docs.markdown_table import markdown_table

# Assumed: how long functions wait for models and tools. Turns and calls are those of the typical job.
MODEL_SECONDS, TOOL_SECONDS = 2.0, 0.2
TURNS, CALLS = 6, 5
_OWN_SECONDS = 0.2
_FUNCTION_MB = 1024
_MB_MS = int(_FUNCTION_MB * 1000 * (TURNS * MODEL_SECONDS + CALLS * TOOL_SECONDS + _OWN_SECONDS))

# Five tool calls one after another, with its backup message a minute later; by CONTINUATION.
TYPICAL: Mapping[str, Paid] = {
    "inline": Paid(messages=2, deliveries=2, commands=108, size_bytes=47_100, mb_ms=_MB_MS, model_usd=0.0),
    "queue": Paid(messages=12, deliveries=12, commands=139, size_bytes=51_200, mb_ms=_MB_MS, model_usd=0.0),
}
# A sweep of an idle deployment: each hour; while jobs hold slots each minute, where it also looks at those.
SWEEP = Paid(messages=1, deliveries=1, commands=10, size_bytes=900, mb_ms=512 * 50, model_usd=0.0)
_HOURS, _MINUTES = 730, 730 * 60
MONTHLY = (0, 1_000, 1_000_000, 100_000_000)
# From so many jobs a month on there is always one at work.
_BUSY_FROM = 1_000_000
_WHOLE_FROM, _CENTS_FROM = 10.0, 0.05


def job_table() -> str:
    """Return what one typical job uses, and what that costs."""
    rows = (
        [
            f"`{mode}`",
            *(f"{number:,}" for number in (used.messages, used.deliveries, used.commands, used.size_bytes)),
            f"{used.mb_ms / 1024 / 1000:.1f}",
            *_dollars(cost_of(used, LIST_PRICES)),
        ]
        for mode, used in TYPICAL.items()
    )
    head = ["CONTINUATION", "messages", "deliveries", "Redis commands", "bytes", "GB-seconds"]
    return markdown_table([*head, "queue $", "Redis $", "functions $", "together $"], rows)


def month_table() -> str:
    """Return what a month costs, with jobs that continue in place."""
    return markdown_table(
        ["jobs a month", "queue $", "Redis $", "functions $", "together $"],
        ([f"{jobs:,}" if jobs else "none", *_dollars(cost_of(_month(jobs), LIST_PRICES))] for jobs in MONTHLY),
    )


def price_table() -> str:
    """Return each price, with where it was read."""
    rows = (
        [f"`{price.field}`", price.per, f"{price.usd:.10f}".rstrip("0"), price.source, price.as_of] for price in LIST
    )
    return markdown_table(["in `PRICES`", "for a", "$", "read at", "as of"], rows)


def _month(jobs: int) -> Paid:
    sweeps = _MINUTES if jobs >= _BUSY_FROM else _HOURS
    return _sum(_times(TYPICAL["inline"], jobs), _times(SWEEP, sweeps))


def _times(used: Paid, count: int) -> Paid:
    return Paid(**{each.name: getattr(used, each.name) * count for each in fields(Paid)})


def _sum(one: Paid, other: Paid) -> Paid:
    return Paid(**{each.name: getattr(one, each.name) + getattr(other, each.name) for each in fields(Paid)})


def _dollars(cost: Cost) -> list[str]:
    return [_shown(each) for each in (cost.queue_usd, cost.redis_usd, cost.functions_usd, cost.total_usd)]


def _shown(usd: float) -> str:
    """Format whole dollars, cents, or millionths."""
    if usd >= _WHOLE_FROM:
        return f"{usd:,.0f}"
    return f"{usd:.2f}" if usd >= _CENTS_FROM else f"{usd:.6f}".rstrip("0").rstrip(".")
