"""A store of which not every answer arrives, or not in time."""

from collections.abc import Awaitable, Callable

from baton.core.effects import Changes
from baton.core.inline_continuation import Continuation
from baton.ports import Claim, Committed, Spent
from baton_events.errors import StoreError
from tests.fakes import FakeStore
from tests.unit.functions.stage import Stage


class LosingAnswers(FakeStore):
    """A store whose COMMITs are applied, and then nobody hears of it; so many times."""

    losses, slow_ms, commits = 0, 0, 0
    stage: Stage | None = None
    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def commit(
        self, claim: Claim, changes: Changes, spent: Spent, continuation: Continuation | None = None
    ) -> Committed:
        """Commit, and lose the answer, or give it late."""
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
