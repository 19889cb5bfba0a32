import pytest

from tests.unit.baton_local.setup.accounts import FakeAccount


@pytest.fixture
async def account() -> FakeAccount:
    """An account of the queue that is set up."""
    made = FakeAccount()
    await made.set_up()
    return made
