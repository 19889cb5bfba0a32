"""The real local stack as a fixture: `baton dev` in a process of its own.

Invariant: whatever a test does, nothing that was started here survives it.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.dev_stack import DevStack

StackMaker = Callable[..., DevStack]


@contextlib.contextmanager
def stacks(folder: Path) -> Iterator[StackMaker]:
    """Make stacks on new folders, or on a given one, and end them all."""
    made: list[DevStack] = []

    def make(data: Path | None = None, arguments: tuple[str, ...] = ("--port", "0")) -> DevStack:
        made.append(DevStack(data or folder / f"data{len(made)}", arguments=arguments))
        return made[-1]

    try:
        yield make
    finally:
        for stack in made:
            if stack.process is not None and stack.process.poll() is None:
                stack.stop()
            stack.kill_all()


@pytest.fixture
def new_stack(tmp_path: Path) -> Iterator[StackMaker]:
    """Return a maker of stacks that are not started yet."""
    with stacks(tmp_path) as make:
        yield make


@pytest.fixture(scope="module")
def dev_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevStack]:
    """Return a running stack that the tests of a module share."""
    with stacks(tmp_path_factory.mktemp("stack")) as make:
        yield make().start()
