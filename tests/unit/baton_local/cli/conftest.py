from collections.abc import Iterator

import pytest
import respx


@pytest.fixture
def api() -> Iterator[respx.MockRouter]:
    """The API, answered for by a test; nothing is asked of anybody else."""
    with respx.mock(assert_all_called=False) as router:
        yield router
