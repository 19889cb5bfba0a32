"""What a part of the stack is: a command to run, and how to tell that it serves.

A value only; nothing is started here. Invariant: parts stand in a list such that what a part needs comes before it;
starting goes forward through the list, stopping goes backward.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ReadyCheck = Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class Part:
    """One process of the stack.

    `log_path`: of one that keeps a log of its own. `code`: the folder of a person's code that it runs; it is started
    again when a file of that changes.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    is_ready: ReadyCheck
    needs: tuple[str, ...] = ()
    stop_seconds: float = 3.0
    log_path: Path | None = None
    code: Path | None = None
