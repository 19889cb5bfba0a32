"""Access: API keys, rate limits, and the audit log of operators' actions."""

from typing import Any, Literal

from msgspec import Struct, field

from baton.sdk.records.record import Record


class StoredKey(Struct, frozen=True):
    """The record of a key: never the key itself.

    `digest`: SHA-256 of the key, as hex. `prefix`: its first characters, so that people know it again. `used_day`: the
    last day on which it was used, as 2026-01-31; empty: never.
    """

    digest: str
    role: Literal["client", "admin"]
    tenant: str
    prefix: str
    label: str
    created_ms: int
    used_day: str = ""


class AuditEntry(Record, frozen=True):
    """One action.

    `key_id`: the key, by the beginning of its digest; empty: none, as on the command line. `action`: the requested
    action, such as `POST /api/admin/agent-worker`. `target`: its target: the ids in the address. `status`: the HTTP
    status that answered it; 200 for an action without one that succeeded. `detail`: further data of the request,
    without secrets.
    """

    at_ms: int
    key_id: str
    label: str
    tenant: str
    action: str
    target: str
    status: int
    detail: dict[str, Any] = field(default_factory=dict[str, Any])
