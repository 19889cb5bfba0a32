"""A store of which not every answer arrives, or not in time."""

from collections.abc import Awaitable, Callable

from baton.engine.commit.answers import Claim, Committed
from baton.engine.commit.usage_ledger import Spent
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton_events.errors import StoreError
from tests.fakes import FakeStore
from tests.unit.baton.kit.stage import Stage


class LosingAnswers(FakeStore):
    """A store whose COMMITs are applied, and then nobody hears of it; so many times."""

    losses, slow_ms, commits = 0, 0, 0
    stage: Stage | None = None
    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def commit(
        self, claim: Claim, changes: Changes, spent: Spent, continuation: Continuation | None = None
    ) -> Committed:
        committed = await super().commit(claim, changes, spent, continuation)
        self.commits += 1
        if self.losses:
            self.losses -= 1
            raise StoreError("no answer")
        if self.slow_ms and self.stage:
            self.stage.clock.ms += self.slow_ms
            self.slow_ms = 0
            if self.meanwhile:
                await self.meanwhile()
        return committed
