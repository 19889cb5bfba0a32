"""What was spent is kept with the write that follows, or is there for the next one."""

from contextlib import nullcontext

import pytest

from baton.engine.commit.answers import Claim, Committed
from baton.engine.commit.usage_ledger import Spent
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.storage.usage import commit
from baton.transport.meter import Meter, charge, metered, take
from baton_events.errors import StoreError
from tests.fakes.clock import FakeClock
from tests.fakes.stored import FakeStore

CLAIM = Claim("job_a", "leg", "m1", "o1", 0, 0)


class Answering(FakeStore):
    def __init__(self, answer: Committed | StoreError) -> None:
        super().__init__()
        self._answer = answer
        self.spent: list[Spent] = []

    async def commit(
        self, claim: Claim, changes: Changes, spent: Spent, continuation: Continuation | None = None
    ) -> Committed:
        del claim, changes, continuation
        self.spent.append(spent)
        if isinstance(self._answer, StoreError):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        pytest.param(Committed(applied=True), Spent(), id="applied: nothing is left for the overhead"),
        pytest.param(Committed(applied=False), Spent(requests=2), id="too late: it is there for the next one"),
        pytest.param(StoreError("?"), Spent(requests=2), id="nobody knows: a job is rather told too little than twice"),
    ],
)
async def test_a_commit_that_applies_keeps_what_was_spent(answer: Committed | StoreError, left: Spent) -> None:
    store = Answering(answer)
    with metered(Meter(FakeClock(), memory_mb=1)):
        charge(requests=2)
        with pytest.raises(StoreError) if isinstance(answer, StoreError) else nullcontext():
            await commit(store, CLAIM, Changes())
        assert (store.spent, take()) == ([Spent(requests=2)], left)
