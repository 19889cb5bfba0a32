"""What follows a COMMIT besides its work items: effects that nothing rests on, each harmless when it is lost.

Invariant: nothing here is raised, so that it never harms the delivery that it follows.
"""

from collections.abc import Sequence

from baton.commands.operation_outcomes import OperationOutcomes
from baton.core.effects import Alert, Effect, Expect
from baton.observability.alerting import Alerting


class PostCommit:
    """Performs such effects."""

    def __init__(self, outcomes: OperationOutcomes, alerting: Alerting) -> None:
        self._outcomes = outcomes
        self._alerting = alerting

    async def __call__(self, effects: Sequence[Effect]) -> None:
        """Perform those of them that follow a COMMIT."""
        for effect in effects:
            match effect:
                case Alert():
                    await self._alerting(effect)
                case Expect():
                    await self._outcomes.expect(effect.operation_id, effect.until_ms)
                case _:
                    pass
