"""What was spent is kept with the write that follows, or is there for the next one."""

import pytest

from baton.engine.commit.answers import Claim, Committed
from baton.engine.commit.usage_ledger import Spent
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.storage.usage import commit
from baton.transport.meter import Meter, charge, metered, take
from baton_events.errors import StoreError
from tests.fakes import FakeStore
from tests.fakes.clock import FakeClock

CLAIM = Claim("job_a", "leg", "m1", "o1", 0, 0)


class Answering(FakeStore):
    """A store whose COMMIT answers as it is told, and keeps what it was given."""

    def __init__(self, answer: Committed | StoreError) -> None:
        super().__init__()
        self._answer = answer
        self.spent: list[Spent] = []

    async def commit(
        self, claim: Claim, changes: Changes, spent: Spent, continuation: Continuation | None = None
    ) -> Committed:
        """Answer."""
        del claim, changes, continuation
        self.spent.append(spent)
        if isinstance(self._answer, StoreError):
            raise self._answer
        return self._answer


async def test_a_commit_that_applies_keeps_what_was_spent() -> None:
    """Nothing is left for the overhead."""
    store = Answering(Committed(applied=True))
    with metered(Meter(FakeClock(), memory_mb=1)):
        charge(requests=2)
        await commit(store, CLAIM, Changes())
        assert (store.spent, take()) == ([Spent(requests=2)], Spent())


async def test_a_commit_that_came_too_late_keeps_nothing() -> None:
    """It is there for the next one."""
    with metered(Meter(FakeClock(), memory_mb=1)):
        charge(requests=2)
        await commit(Answering(Committed(applied=False)), CLAIM, Changes())
        assert take() == Spent(requests=2)


async def test_a_commit_of_which_nobody_knows_keeps_nothing() -> None:
    """A job is rather told too little than twice."""
    with metered(Meter(FakeClock(), memory_mb=1)):
        charge(requests=2)
        with pytest.raises(StoreError):
            await commit(Answering(StoreError("no answer")), CLAIM, Changes())
        assert take() == Spent(requests=2)
