"""Durations that a program gives: a number of seconds, or a `timedelta`.

Invariant: one that is no number of seconds, or out of bounds, is refused by its name and value. Must not: read waits
that somebody else names, in which everything odd is let pass (waits.py).
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, overload

_T = TypeVar("_T")
_Taken_contra = TypeVar("_Taken_contra", contravariant=True)
_Read_co = TypeVar("_Read_co", covariant=True)
Duration = float | timedelta
# Ten years: as long as any wait.
LONGEST_SECONDS = 10 * 365 * 86_400

if TYPE_CHECKING:

    class Given(Generic[_Taken_contra, _Read_co]):
        """Types of a field: what a program gives, and what code reads of it, once `__post_init__` has made it plain."""

        def __get__(self, instance: Any, owner: Any = None, /) -> _Read_co: ...
        def __set__(self, instance: Any, value: _Taken_contra, /) -> None: ...
else:

    class Given:
        """At run time, and in what is stored, what code reads; the other one is there for the reference."""

        def __class_getitem__(cls, types: tuple[Any, Any]) -> Any:
            return Annotated[types[1], types[0]]


@overload
def plain_seconds(given: Duration) -> float: ...
@overload
def plain_seconds(given: Duration | None) -> float | None: ...
@overload
def plain_seconds(given: _T) -> _T: ...
def plain_seconds(given: Any) -> Any:
    """Return a `timedelta` as a number of seconds, whole if it can be; anything else stays, to be checked."""
    if not isinstance(given, timedelta):
        return given
    seconds = given.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def seconds_of(given: Duration, name: str, most: float = LONGEST_SECONDS, *, above: float = -1) -> float:
    """Return a duration of 0 seconds, or of more than `above` of them, to `most`. Raises ValueError: it is none."""
    seconds = plain_seconds(given)
    if type(seconds) not in (int, float) or not (max(above, 0) <= seconds <= most and seconds > above):
        span = f"from 0 to {most}" if above < 0 else f"more than {above} and up to {most}"
        raise ValueError(f"{name}={given!r}: give a number of seconds, {span}, or a timedelta")
    return seconds


def seconds_in_json(given: Any) -> Any:
    """Return a duration of a call's arguments in seconds: a `timedelta` of a workflow comes as text, such as PT1H.

    Raises ValueError: it is True or False.
    """
    if isinstance(given, bool):
        raise ValueError("give a number of seconds")  # noqa: TRY004 - as pydantic wants it
    if not isinstance(given, str) or "P" not in given:
        return plain_seconds(given)
    from pydantic import TypeAdapter  # noqa: PLC0415 - few durations come so

    return plain_seconds(TypeAdapter(timedelta).validate_python(given))
