"""What operators did."""

from typing import Any, Protocol

from msgspec import field

from baton.record import Record


class AuditEntry(Record, frozen=True):
    """One action.

    Attributes:
        key_id: which key, by the beginning of its digest; empty: none, as on the command line.
        action: what was asked for, such as `POST /api/admin/agent-worker`.
        target: of what: the ids in the address.
        status: the HTTP status that answered it; 200 for an action without one that succeeded.
        detail: what else was said, without secrets.
    """

    at_ms: int
    key_id: str
    label: str
    tenant: str
    action: str
    target: str
    status: int
    detail: dict[str, Any] = field(default_factory=dict[str, Any])


class AuditLog(Protocol):
    """The newest actions, up to a number; a failover of the store may forget the last seconds of them."""

    async def add(self, entry: AuditEntry) -> None:
        """Keep an entry; when repeated, it may stand there twice.

        Raises:
            StoreError: it may be kept or not.
        """
        ...

    async def page(self, before: str, limit: int) -> tuple[tuple[str, AuditEntry], ...]:
        """Entries with their ids, the newest first; `before`: an id, only older ones; empty: all.

        Raises:
            StoreError: no answer.
        """
        ...
