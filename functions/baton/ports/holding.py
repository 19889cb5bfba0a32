"""Claims while their work goes on."""

from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from baton.ports.claims import Claim


class Holding(Protocol):
    """Claims that last, as atomic scripts: only whoever holds a work item prolongs its claim, or gives it back."""

    def renew(self, claims: Sequence[Claim], lease_until_ms: int) -> Coroutine[Any, Any, Sequence[str]]:
        """Prolong claims of one tree that their owners still hold; returns the keys of the items that they do not."""
        ...

    def give_back(self, claim: Claim, now_ms: int, *, begun: bool) -> Coroutine[Any, Any, bool]:
        """End a claim that its owner still holds: somebody else may work on the item at once, and no death is counted.

        Returns whether its owner held it. `claim_result`: of a turn, its model may have been called, which counts with
        what attempts that died may have used.
        """
        ...
