"""Limits of calls that share something outside: a provider, a tool's service, a tenant's budget there. Data only.

Invariant: the key names the shared resource, so calls of all jobs, agents and functions with the same key share its
limit. Must not: count; the store does (store/records/access.py).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from baton.sdk.records.record import Record

_LONGEST_KEY_CHARS = 200


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
        if not callable(self.key) and not _is_key(self.key):
            raise ValueError(f"CallLimit key {self.key!r} must be a text of 1 to {_LONGEST_KEY_CHARS} characters")
        if self.per_minute is None and self.in_flight is None:
            raise ValueError(f"CallLimit {self.key!r}: pass per_minute, in_flight, or both")
        if self.per_minute is not None and not (_is_number(self.per_minute) and self.per_minute > 0):
            raise ValueError(f"CallLimit {self.key!r}: per_minute must be more than 0, got {self.per_minute!r}")
        if self.in_flight is not None and not (_is_whole(self.in_flight) and self.in_flight > 0):
            raise ValueError(f"CallLimit {self.key!r}: in_flight must be a whole number from 1, got {self.in_flight!r}")

    def key_of(self, call: LimitedCall) -> str:
        """Return the key of this call.

        Raises:
            ValueError: the function returned none.
        """
        if isinstance(self.key, str):
            return self.key
        key = self.key(call)
        if not _is_key(key):
            raise ValueError(f"the key of a CallLimit must be a text of 1 to {_LONGEST_KEY_CHARS} characters: {key!r}")
        return key


def checked_limits(whose: str, limits: Sequence[CallLimit]) -> tuple[CallLimit, ...]:
    """Return the limits in an immutable form.

    Raises:
        TypeError: something among them is none.
    """
    for one in limits if isinstance(limits, list | tuple) else [limits]:
        if not isinstance(one, CallLimit):
            raise TypeError(f"{whose}: call_limits must be a list of CallLimit, got {one!r}")
    return tuple(limits)


def _is_key(key: object) -> bool:
    return isinstance(key, str) and 0 < len(key) <= _LONGEST_KEY_CHARS


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
