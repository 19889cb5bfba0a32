"""The hosted services' price for each unit, by their public lists; `PRICES` sets a contract's prices instead.

Invariant: each price names its source and its date. Free allowances are left out: they are the account's, not a job's.
Services without a price here count as free: storage, the vector index. Model calls have prices of their own.
"""

from msgspec import Struct


class Price(Struct, frozen=True):
    """One list price. `field`: of `Prices`; `as_of`: the date of the copy that was read, as it states."""

    field: str
    usd: float
    per: str
    source: str
    as_of: str


LIST = (
    Price(
        "message_usd", 1.00 / 100_000, "message", "https://upstash.com/pricing/qstash.md, pay as you go", "undated copy"
    ),
    Price(
        "command_usd",
        0.20 / 100_000,
        "Redis command",
        "https://upstash.com/pricing/redis, pay as you go, one region",
        "2026-11-09",
    ),
    Price(
        "redis_gb_usd",
        0.03,
        "GB to and from Redis",
        "https://upstash.com/pricing/redis, above 200 GB a month",
        "2026-09-20",
    ),
    Price(
        "gb_second_usd",
        0.0000133334,
        "GB-second of a function",
        "https://aws.amazon.com/lambda/pricing, arm64, us-east-1, as in https://cloudchipr.com/blog/aws-lambda-pricing",
        "2024",
    ),
    Price(
        "invocation_usd",
        0.20 / 1_000_000,
        "call of a function",
        "https://aws.amazon.com/lambda/pricing, us-east-1",
        "undated copy",
    ),
)


class Prices(Struct, frozen=True):
    """US dollars for one unit each."""

    message_usd: float = LIST[0].usd
    command_usd: float = LIST[1].usd
    redis_gb_usd: float = LIST[2].usd
    gb_second_usd: float = LIST[3].usd
    invocation_usd: float = LIST[4].usd


LIST_PRICES = Prices()


class Paid(Struct, frozen=True):
    """The paid usage of a job or of many."""

    messages: int
    deliveries: int
    commands: int
    size_bytes: int
    mb_ms: int
    model_usd: float


def cost_of(paid: Paid, prices: Prices) -> dict[str, float]:
    """Return US dollars by recipient, without rounding errors of floats; a command costs two millionths of one."""
    gb_seconds = paid.mb_ms / 1024 / 1000
    cost = {
        "queueUsd": paid.messages * prices.message_usd,
        "redisUsd": paid.commands * prices.command_usd + paid.size_bytes / 1e9 * prices.redis_gb_usd,
        "functionsUsd": gb_seconds * prices.gb_second_usd + paid.deliveries * prices.invocation_usd,
        "modelUsd": paid.model_usd,
    }
    return {name: round(usd, 9) for name, usd in (cost | {"totalUsd": sum(cost.values())}).items()}
