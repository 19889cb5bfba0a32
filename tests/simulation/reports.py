"""The log of the product during a world: errors and alerts become lines of its story, the rest is not even made."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from tests.simulation.actors import STAGE


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
