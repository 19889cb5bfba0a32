"""What happened in a world, in order, as lines for people; kept only when somebody wants to read it.

Of the log of the product errors and alerts become such lines, the rest is not even made.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from tests.simulation.actors import STAGE


class Story:
    """`record` adds a line; a world that nobody reads passes `kept=False`, and nothing is formatted."""

    def __init__(self, *, kept: bool) -> None:
        self.kept = kept
        self.lines: list[str] = []

    def record(self, at: float, who: str, what: str) -> None:
        if self.kept:
            self.lines.append(f"{at:10.3f}  {who:<28}  {what}")

    def text(self) -> str:
        return "\n".join(self.lines)


class _IntoTheStory(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        world = STAGE.world
        if world.story.kept:
            text = record.getMessage()
            if record.exc_info:
                text += "\n" + logging.Formatter().formatException(record.exc_info)
            world.note(f"logged: {text}")


@contextmanager
def added_to_the_story() -> Iterator[None]:
    """While this lasts, errors of the product's log go to the story of the world that is played."""
    log, handler = logging.getLogger("baton"), _IntoTheStory()
    before = (log.level, log.propagate)
    log.addHandler(handler)
    log.setLevel(logging.ERROR)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before[0])  # which also forgets what was enabled meanwhile; to assign the level does not
        log.propagate = before[1]
