"""The keys in a deployment's store, as the command reads and changes them; the audit log records its changes.

Invariant: only digests go to the store. Must not: print anything.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from baton.settings.settings import Settings, settings_from_environment
from baton.store.records.access import AuditEntry, StoredKey
from baton.worker.container import Ports
from baton.worker.wiring import real_ports
from baton_events.errors import BatonError, SettingsError, StoreError
from baton_local.dev.data_folder import DEV_FILE_NAME
from baton_local.dev.secrets_file import ID_CHARS, Role, key_prefix
from baton_local.dev.stack_error import StackError

_log = logging.getLogger("baton.audit")

_T = TypeVar("_T")
_STATUS_DONE = 200


def store_settings(data: Path | None) -> Settings | None:
    """Return settings that reach the store: of this folder's running stack, or of the environment; None: none do.

    Raises StackError: the environment's settings are wrong.
    """
    if data is None:
        try:
            settings = settings_from_environment()
        except SettingsError as error:
            raise StackError(str(error)) from error
        return settings if settings.resp_url or (settings.redis_url and settings.redis_token) else None
    path = data / DEV_FILE_NAME
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        if described.get("store_url"):
            return Settings(resp_url=described["store_url"])
        return Settings(redis_url=described["redis_url"], redis_token=described["redis_token"])
    except FileNotFoundError:
        return None  # it does not run
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StackError(f"{path} cannot be read ({type(error).__name__}): start `baton dev` on it again") from error


class KeyStore:
    """The slot table of keys behind these settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def let_in(self, key: str, role: Role, tenant: str, label: str) -> None:
        """Let a key in from now on."""

        async def work(ports: Ports) -> None:
            digest = hashlib.sha256(key.encode()).hexdigest()
            now_ms = ports.clock.now_ms()
            await ports.api_key_store.add(StoredKey(digest, role, tenant, key_prefix(key), label, now_ms))
            await _audited(ports, "keys create", digest, tenant, {"role": role, "label": label})

        self._run(work)

    def all(self) -> tuple[StoredKey, ...]:
        """Return every key, the oldest first."""
        return self._run(lambda ports: ports.api_key_store.all())

    def revoke(self, key: StoredKey) -> bool:
        """Let a key in no longer; False: it was gone."""

        async def work(ports: Ports) -> bool:
            known = await ports.api_key_store.revoke(key.digest)
            await _audited(ports, "keys revoke", key.digest, key.tenant, {"role": key.role, "label": key.label})
            return known

        return self._run(work)

    def _run(self, work: Callable[[Ports], Awaitable[_T]]) -> _T:
        async def run() -> _T:
            ports = real_ports(self._settings)
            try:
                return await work(ports)
            finally:
                await ports.reader.close()

        try:
            return asyncio.run(run())
        except BatonError as error:
            raise StackError(str(error)) from error


async def _audited(ports: Ports, action: str, digest: str, tenant: str, detail: dict[str, str]) -> None:
    entry = AuditEntry(
        ports.clock.now_ms(), "", "command line", tenant, action, digest[:ID_CHARS], _STATUS_DONE, {**detail}
    )
    try:
        await ports.audit_log.add(entry)
    except StoreError as error:  # the key is changed all the same, and its maker must get to see it
        _log.warning("not kept in the store (%s): %s", error, entry)
