"""Limits of calls that share something outside: a provider, a tool's service, a tenant's budget there. Data only.

Invariant: the key names the shared resource, so calls of all jobs, agents and functions with the same key share its
limit. Must not: count; the store does (store/records/access.py).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from baton.sdk.records.limits import MOST, is_number, is_whole
from baton.sdk.records.record import Record
from baton_events.values.text import storable, text_of

LONGEST_KEY_CHARS = 200
# One call in two years.
_LEAST_PER_MINUTE = 1e-6

_T = TypeVar("_T")


class LimitedCall(Record, frozen=True):
    """A call that is about to begin, for the function that makes a key.

    `tool`, `arguments`: of a tool; empty for a turn. `input_data`: of the submission; empty for most calls of tools.
    """

    tenant: str
    session_id: str
    agent: str
    tool: str
    arguments: Mapping[str, Any]
    input_data: Mapping[str, Any]


class CallLimit(Record, frozen=True):
    """The number of calls with the same key that may begin, or run at once, over all functions together.

    Args:
        key: the shared resource, such as "openai"; or a function that makes it from the `LimitedCall`.
        per_minute: the number that may begin in a minute, spread evenly; None: any number.
        in_flight: the number that may run at the same time; None: any number.
    """

    key: str | Callable[[LimitedCall], str]
    per_minute: float | None = None
    in_flight: int | None = None

    def __post_init__(self) -> None:
        """Refuse limits that allow everything or nothing."""
        check_key("CallLimit", self.key)
        if self.per_minute is None and self.in_flight is None:
            raise ValueError(f"CallLimit {self.key!r}: pass per_minute, in_flight, or both")
        rate, places = self.per_minute, self.in_flight
        if rate is not None and not (is_number(rate) and rate >= _LEAST_PER_MINUTE):
            span = f"more than 0: from {_LEAST_PER_MINUTE:f} to {MOST}"
            raise ValueError(f"CallLimit {self.key!r}: per_minute must be {span}, got {rate!r}")
        if places is not None and not (is_whole(places) and places > 0):
            raise ValueError(
                f"CallLimit {self.key!r}: in_flight must be a whole number from 1 to {MOST}, got {places!r}"
            )

    def key_of(self, call: LimitedCall) -> str:
        """Return the key of this call, or raise ValueError: the function returned none."""
        return key_of("CallLimit", self.key, call)


def check_key(whose: str, key: str | Callable[[LimitedCall], str]) -> None:
    """Check a declared key, or raise ValueError."""
    if not callable(key) and not _is_key(key):
        raise ValueError(f"{whose} key {key!r} must be a text of 1 to {LONGEST_KEY_CHARS} characters")


def key_of(whose: str, key: str | Callable[[LimitedCall], str], call: LimitedCall) -> str:
    """Return the key of a call. Raises ValueError: the function returned none."""
    made = key if isinstance(key, str) else _made(key, call)
    if not _is_key(made):
        raise ValueError(f"the key of a {whose} must be a text of 1 to {LONGEST_KEY_CHARS} characters: {made!r}")
    return storable(made)


def _made(key: Callable[[LimitedCall], str], call: LimitedCall) -> str:
    try:
        return key(call)
    except Exception:
        raise
    except BaseException as error:  # an exit would end the process, and with it the calls of others
        raise ValueError(f"it ended with {type(error).__name__}: {text_of(error)}") from error


def checked_all(what: str, kind: type[_T], given: Sequence[_T]) -> tuple[_T, ...]:
    """Return what was given as `what` in an immutable form.

    Raises TypeError: something among it is not of this kind.
    """
    for one in given if isinstance(given, list | tuple) else [given]:
        if not isinstance(one, kind):
            raise TypeError(f"{what} must be a list of {kind.__name__}, got {one!r}")
    return tuple(given)


def _is_key(key: object) -> bool:
    return isinstance(key, str) and 0 < len(key) <= LONGEST_KEY_CHARS
