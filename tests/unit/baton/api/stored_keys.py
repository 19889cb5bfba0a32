"""Keys that the store knows."""

import hashlib

from baton.storage.ports.access import StoredKey
from tests.unit.baton.kit.stage import Stage

KEY, ADMIN_KEY = "bk_client_" + "a" * 43, "bk_admin_" + "b" * 43


def digest(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


async def store_keys(stage: Stage) -> None:
    """A client's key of acme, and an operator's, labelled."""
    await stage.api_key_store.add(StoredKey(digest(KEY), "client", "acme", "bk_client_aaaaaa", "laptop", 1))
    await stage.api_key_store.add(StoredKey(digest(ADMIN_KEY), "admin", "operators", "bk_admin_bbbbbb", "on call", 2))
