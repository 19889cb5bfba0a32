"""Answers of models, kept for a while so that the same question need not be asked again."""

from typing import Protocol


class ModelCache(Protocol):
    """Texts by tenant and key, each for a limited time. Never needed: what it lost is asked again."""

    async def get(self, tenant: str, key: str) -> str | None:
        """What is kept under the key, or None.

        Raises:
            StoreError: no answer.
        """
        ...

    async def put(self, tenant: str, key: str, text: str, seconds: int) -> None:
        """Keep a text; a later one under the same key replaces it.

        Raises:
            StoreError: it may be kept or not.
        """
        ...
