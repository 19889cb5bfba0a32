"""One call of an SDK's method that must succeed, and one that must fail: as data, so that every method has them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Arguments = Callable[[Callable[..., Any]], Any]


@dataclass(frozen=True)
class MethodCase:
    """`gives` is the expected result or a question about it; without `fails`, only a wrong token is an error.

    `given`: the commands before it.
    """

    call: Arguments
    gives: Any
    given: str = ""
    fails: Arguments | None = None
    error: str = "WRONGTYPE"

    def accepts(self, result: Any) -> bool:
        return bool(self.gives(result)) if callable(self.gives) else bool(result == self.gives)

    def commands(self) -> list[list[str]]:
        return [command.split() for command in self.given.split(";") if command.strip()]


def args(*positional: Any, **named: Any) -> Arguments:
    """Arguments, written as in a call; what it makes calls a method with them."""
    return lambda method: method(*positional, **named)


def between(low: float, high: float) -> Callable[[Any], bool]:
    return lambda result: low <= result <= high


def in_any_order(*members: Any) -> Callable[[Any], bool]:
    return lambda result: sorted(result) == sorted(members)
