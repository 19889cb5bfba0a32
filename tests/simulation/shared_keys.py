"""The limits of calls that agents and tools of a world have, and the keys by which their calls share them.

Invariant: a key has the same numbers everywhere, and a call has one limit a minute at most, so its moment is known.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from baton.sdk.records.call_limit import CallLimit, LimitedCall

# How long a tool that fails wants nobody to come, by its number.
PATIENCE_SECONDS = (0.0, 4.0, 40.0)


def _by_tenant(call: LimitedCall) -> str:
    return f"account of {call.tenant}"


def _by_tool(call: LimitedCall) -> str:
    return f"service {call.tool}"


def _by_argument(call: LimitedCall) -> str:
    return f"shard {call.arguments['number'] % 2}"


@dataclass(frozen=True, slots=True)
class Moment:
    """When a call may begin by a limit a minute, and when the store has given it that moment.

    `replaces`: one that was missed.
    """

    at: float
    given_at: float
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Mixture:
    models: tuple[CallLimit, ...] = ()
    tools: tuple[CallLimit, ...] = ()


# The first one is of the worlds without limits.
MIXTURES = (
    Mixture(),
    Mixture((CallLimit("provider", in_flight=1),), (CallLimit("service", in_flight=1),)),
    Mixture((CallLimit("provider", per_minute=20),), (CallLimit(_by_tool, in_flight=1),)),
    Mixture((CallLimit(_by_tenant, in_flight=1),), (CallLimit("service", per_minute=12, in_flight=2),)),
    Mixture(
        (CallLimit("provider", per_minute=30, in_flight=2), CallLimit(_by_tenant, in_flight=1)),
        (CallLimit(_by_argument, in_flight=1), CallLimit("service", per_minute=30)),
    ),
    Mixture((CallLimit("everything", in_flight=2),), (CallLimit("everything", in_flight=2),)),
)


def limits_of_model(mixture: int, *, offloads: bool) -> tuple[CallLimit, ...]:
    """The limits of an agent's model. What the queue calls is in no function's flight."""
    limits = MIXTURES[mixture].models
    return tuple(CallLimit(one.key, one.per_minute) for one in limits if one.per_minute) if offloads else limits


def limits_of_tools(mixture: int) -> tuple[CallLimit, ...]:
    return MIXTURES[mixture].tools


def keys_of(limits: Iterable[CallLimit], call: LimitedCall) -> frozenset[str]:
    return frozenset(one.key if isinstance(one.key, str) else one.key(call) for one in limits)
