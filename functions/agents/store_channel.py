"""What a running tool says goes to the job's stream, as long as its claim holds the leg."""

import logging
from typing import Any

from events.core.redaction import KnownSecrets, redacted
from events.errors import StoreError
from events.ids import canonical_json
from events.ports import Claim, Store

_log = logging.getLogger("baton.tools")


class StoreChannel:
    """`ToolChannel` of one attempt of a tool call."""

    def __init__(self, store: Store, claim: Claim, call_id: str, secrets: KnownSecrets) -> None:
        self._store = store
        self._claim = claim
        self._call_id = call_id
        self._secrets = secrets
        self._appended = 0

    async def info(self, title: str, data: Any) -> None:
        """Record an info checkpoint.

        Raises:
            StoreError: it is not recorded; unless the tool catches this, the delivery fails and the tool runs again.
        """
        await self._append("data-checkpoint", {"type": "info", "status": "recorded", "title": title, "data": data})

    async def progress(self, fraction: float, text: str) -> None:
        """Record how far the tool has come; a report that the store does not take is no reason to run it again."""
        try:
            await self._append("data-progress", {"fraction": fraction, "text": text})
        except StoreError as error:
            _log.warning("a progress report of %s is lost: %s", self._call_id, error)

    async def cancelled(self) -> bool:
        """Whether the leg is no longer held: the job was cancelled or ended, or somebody else took over."""
        return not await self._store.append(self._claim, 0, ())

    async def _append(self, kind: str, data: dict[str, Any]) -> None:
        self._appended += 1
        shown = self._secrets.hide_in(redacted(data))
        part = canonical_json({"type": kind, "data": {"callId": self._call_id, **shown}})
        await self._store.append(self._claim, self._appended, [part])
