"""A job type that is written as code: it becomes an agent once the registry asks, when all of its module is there.

Must not: know how its code runs.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any


class CodeAgent(ABC):
    """The base of workflows; `name` is the job type."""

    name: str

    @abstractmethod
    def made(self) -> tuple[Any, tuple[str, ...]]:
        """Make the `Agent`, and the faults of its code; None: it cannot be made."""

    @abstractmethod
    def parameters(self) -> tuple[list[str], list[str]]:
        """Return the names of its parameters, and of those that are required."""

    @abstractmethod
    def calls(self) -> "Sequence[CodeAgent]":
        """Return the job types that its code starts by itself."""


def no_tool(value: object) -> str:
    """Say that a value is no tool, and the way out."""
    if isinstance(value, CodeAgent):
        start = f"return ctx.start({value.name!r}, '', data)"
        return f"workflow {value.name!r} is not a tool; write one that starts it, whose ctx is a ToolContext: {start}"
    return f"{value!r} is not a tool; decorate the function with @tool"
