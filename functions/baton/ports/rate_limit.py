"""How often somebody may ask, over all processes together."""

from typing import Protocol


class RateLimit(Protocol):
    """A bucket of tokens for each name, which fills by itself."""

    async def wait_seconds(self, name: str) -> float:
        """Take a token; 0: there was one; else how long until there is one.

        Raises:
            StoreError: no answer; a token may have been taken.
        """
        ...
