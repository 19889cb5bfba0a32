"""Whether a store is fit to be one. For operators, not for functions."""

from collections.abc import Mapping
from typing import Protocol


class StoreCheck(Protocol):
    """Looks at a store without touching any job. Each method raises StoreError."""

    async def ping(self) -> None:
        """Ask for an answer."""
        ...

    async def try_script(self, key: str) -> None:
        """Write, read and delete this key in a script."""
        ...

    async def about(self) -> Mapping[str, str]:
        """What the store says of itself, by the names of INFO; empty where it says nothing."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
