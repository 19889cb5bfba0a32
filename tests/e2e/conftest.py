"""The real local stack as a fixture: `baton dev` in a process of its own.

Invariant: whatever a test does, nothing that was started here survives it.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.dev_stack import DevStack, StackMaker, stacks
from tests.e2e.fault_client import FaultClient
from tests.e2e.fault_stack import FaultStack


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


@pytest.fixture
def client(stack: FaultStack) -> Iterator[FaultClient]:
    """A client of a file's stack that can be hurt."""
    with closing(FaultClient(stack)) as made:
        yield made
