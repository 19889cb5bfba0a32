"""The format of an API key, and of the line by which a deployment knows it.

A key is `bk_<role>_<43 url-safe characters>` (256 bits). A deployment never stores the key, only an entry
`role:tenant:sha256hex(key)`; the setting `API_KEYS` is a comma list of such entries. Must not store anything.
"""

import hashlib
import re
import secrets
from typing import Literal, get_args

from baton_local.dev.stack_error import StackError

Role = Literal["client", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
KEY_SECRET_BYTES = 32
ID_CHARS = 12  # of the digest: names a key to people
_SHOWN_CHARS = 6
TENANT_PATTERN = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def new_api_key(role: Role) -> str:
    """Return a fresh key for this role."""
    return f"bk_{role}_{secrets.token_urlsafe(KEY_SECRET_BYTES)}"


def key_prefix(key: str) -> str:
    """Return what people may see of a key, so that they know it again: its role and 36 of its 256 bits."""
    start, role, secret = key.split("_", 2)
    return f"{start}_{role}_{secret[:_SHOWN_CHARS]}"


def api_key_entry(role: Role, tenant: str, key: str) -> str:
    """Return the entry for `API_KEYS`; it holds the key's digest, never the key."""
    return f"{role}:{checked_tenant(tenant)}:{hashlib.sha256(key.encode()).hexdigest()}"


def checked_tenant(tenant: str) -> str:
    """Return the tenant's name if it can stand in an entry, where `:` and `,` are separators."""
    if not TENANT_PATTERN.fullmatch(tenant):
        raise StackError(
            f"tenant {tenant[:80]!r} is not a usable name: take 1 to 64 letters, digits, dots, dashes or underscores"
        )
    return tenant
