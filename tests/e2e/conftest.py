"""The real local stack as a fixture: `baton dev` in a process of its own.

Invariant: whatever a test does, nothing that was started here survives it.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.dev_stack import QUICK_RECOVERY, ROOT, DevStack

StackMaker = Callable[..., DevStack]


@contextlib.contextmanager
def stacks(folder: Path) -> Iterator[StackMaker]:
    """Make stacks, not started yet, and end them all: of a module with agents, or of the samples; on a new folder."""
    made: list[DevStack] = []

    def make(agents: str = "", *, data: Path | None = None, **environment: str) -> DevStack:
        app = ("--app", f"tests.e2e.{agents}:registry") if agents else ()
        stack = DevStack(data or folder / f"data{len(made)}", {**QUICK_RECOVERY, **environment}, ("--port", "0", *app))
        stack.working_folder = ROOT
        made.append(stack)
        return stack

    try:
        yield make
    finally:
        for stack in made:
            stack.end()


@pytest.fixture
def new_stack(tmp_path: Path) -> Iterator[StackMaker]:
    """A maker of stacks that are not started yet."""
    with stacks(tmp_path) as make:
        yield make


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevStack]:
    """A running stack that the tests of a file share: of the agents in its `AGENTS`, with its `ENVIRONMENT` besides."""
    agents, environment = (getattr(request.module, name, None) for name in ("AGENTS", "ENVIRONMENT"))
    with stacks(tmp_path_factory.mktemp("stack")) as make:
        yield make(agents or "", **(environment or {})).start()
