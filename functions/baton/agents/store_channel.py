"""What a running tool says goes to the job's stream, as long as its claim holds the work item."""

import logging
from typing import Any

from baton.core.checkpoint import info_part
from baton.core.redaction import KnownSecrets, redacted
from baton.core.stored_bytes import bytes_of
from baton.ports import Claim, Clock, Store, write
from baton_events.errors import StoreError
from baton_events.ids import canonical_json

_log = logging.getLogger("baton.tools")


class StoreChannel:
    """`ToolChannel` of one attempt of a tool call."""

    def __init__(self, store: Store, clock: Clock, claim: Claim, call_id: str, secrets: KnownSecrets) -> None:
        self._store = store
        self._clock = clock
        self._claim = claim
        self._call_id = call_id
        self._secrets = secrets
        self._appended = 0

    async def info(self, title: str, data: Any) -> None:
        """Record an info checkpoint.

        Raises:
            StoreError: it is not recorded; unless the tool catches this, the delivery fails and the tool runs again.
        """
        claim, number = self._claim, f"{self._claim.item_key.rpartition(':')[2]}-{self._appended + 1}"
        shown = self._shown({"title": title, "data": data})
        part = info_part(claim.job_id, self._call_id, number, **shown, at_ms=self._clock.now_ms())
        await self._append(part)

    async def progress(self, fraction: float, text: str) -> None:
        """Record how far the tool has come; a report that the store does not take is no reason to run it again."""
        try:
            data = {"callId": self._call_id, **self._shown({"fraction": fraction, "text": text})}
            await self._append(canonical_json({"type": "data-progress", "data": data}))
        except StoreError as error:
            _log.warning("a progress report of %s is lost: %s", self._call_id, error)

    async def cancelled(self) -> bool:
        """Whether the work item is no longer held: the job was cancelled or ended, or somebody else took over."""
        return not await self._store.append(self._claim, 0, ())

    def _shown(self, data: dict[str, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = self._secrets.hide_in(redacted(data))
        return shown

    async def _append(self, part: str) -> None:
        self._appended += 1
        if await self._store.append(self._claim, self._appended, [part]):
            write(bytes_of([part]))
