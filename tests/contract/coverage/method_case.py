"""One call of an SDK's method that must succeed, and one that must fail: as data, so that every method has them.

The tables made of these are also where the page about the stand-ins takes from what is emulated.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Arguments:
    """What a method is called with."""

    positional: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class MethodCase:
    """`gives` is the expected result or a question about it; without `fails`, only a wrong token is an error."""

    call: Arguments
    gives: Any
    given: str = ""
    fails: Arguments | None = None
    error: str = "WRONGTYPE"

    def accepts(self, result: Any) -> bool:
        """Whether this result is the right one."""
        return bool(self.gives(result)) if callable(self.gives) else bool(result == self.gives)

    def commands(self) -> list[list[str]]:
        """What is to be there before the call, as commands."""
        return [command.split() for command in self.given.split(";") if command.strip()]


def args(*positional: Any, **named: Any) -> Arguments:
    """Arguments, written as in a call."""
    return Arguments(positional, named)


def between(low: float, high: float) -> Callable[[Any], bool]:
    """A number in these bounds."""
    return lambda result: low <= result <= high


def in_any_order(*members: Any) -> Callable[[Any], bool]:
    """A list of exactly these."""
    return lambda result: sorted(result) == sorted(members)
