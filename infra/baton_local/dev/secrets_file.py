"""The secrets of one data folder: made once, kept in `secrets.json` (mode 600); and the format of an API key.

An API key is `bk_<role>_<43 url-safe characters>` (256 bits). A deployment never stores the key, only an entry
`role:tenant:sha256hex(key)`; the setting `API_KEYS` is a comma list of such entries. Invariant: a folder keeps its
secrets for life, because messages that wait in its queue are signed and addressed with them. Keys made for other people
(`api_keys`) are kept as entries with a digest, never as keys.
"""

import base64
import hashlib
import json
import re
import secrets
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Literal, get_args

from baton_local.dev.data_folder import make_private_folder, write_private_file
from baton_local.dev.stack_error import StackError

Role = Literal["client", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
KEY_SECRET_BYTES = 32
ID_CHARS = 12  # of the digest: names a key to people
_SHOWN_CHARS = 6
TENANT_PATTERN = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def new_api_key(role: Role) -> str:
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


SECRETS_FILE_NAME = "secrets.json"
DEV_TENANT = "dev"
TOKEN_BYTES = 24


@dataclass(frozen=True)
class StackSecrets:
    """Everything that one local stack keeps to itself."""

    qstash_token: str
    qstash_current_signing_key: str
    qstash_next_signing_key: str
    redis_token: str
    vector_token: str
    client_key: str
    admin_key: str
    operations_key: str
    api_keys: tuple[str, ...] = ()

    def api_keys_setting(self) -> str:
        """Return the value of `API_KEYS`: the folder's own two keys, then those made with `baton keys create`."""
        own = (api_key_entry("client", DEV_TENANT, self.client_key), api_key_entry("admin", DEV_TENANT, self.admin_key))
        return ",".join((*own, *self.api_keys))


def load_or_make_secrets(folder: Path) -> StackSecrets:
    """Return the folder's secrets; make folder and secrets when they are not there yet."""
    path = folder / SECRETS_FILE_NAME
    if path.exists():
        return _load(path)
    # The queue's token in the hosted one's own form: base64 of a user and a password (qstash.md 1).
    user = {"UserID": DEV_TENANT, "Password": secrets.token_hex(TOKEN_BYTES)}
    made = StackSecrets(
        qstash_token=base64.b64encode(json.dumps(user).encode()).decode(),
        qstash_current_signing_key=f"sig_{secrets.token_hex(TOKEN_BYTES)}",
        qstash_next_signing_key=f"sig_{secrets.token_hex(TOKEN_BYTES)}",
        redis_token=secrets.token_hex(TOKEN_BYTES),
        vector_token=secrets.token_hex(TOKEN_BYTES),
        client_key=new_api_key("client"),
        admin_key=new_api_key("admin"),
        operations_key=secrets.token_urlsafe(TOKEN_BYTES),
    )
    _save(folder, made)
    return made


def add_api_key_entry(folder: Path, entry: str) -> None:
    """Keep one more entry, so that the next start on this folder accepts its key."""
    known = load_or_make_secrets(folder)
    _save(folder, replace(known, api_keys=(*known.api_keys, entry)))


def api_key_entries(folder: Path) -> tuple[str, ...]:
    """Return the entries of keys that were made for this folder; none, without making it, where it is not there."""
    path = folder / SECRETS_FILE_NAME
    return _load(path).api_keys if path.exists() else ()


def remove_api_key_entry(folder: Path, digest_start: str) -> bool:
    """Forget the one entry whose digest begins so; False: there is none, or more than one."""
    found = [entry for entry in api_key_entries(folder) if entry.rpartition(":")[2].startswith(digest_start)]
    if len(found) != 1 or not digest_start:
        return False
    known = load_or_make_secrets(folder)
    _save(folder, replace(known, api_keys=tuple(entry for entry in known.api_keys if entry not in found)))
    return True


def _load(path: Path) -> StackSecrets:
    names = [field.name for field in fields(StackSecrets) if field.name != "api_keys"]
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        # A folder made before the vector index was a part has no token for it; nothing that waits there needs one.
        record = {"vector_token": secrets.token_hex(TOKEN_BYTES), **stored}
        texts = {name: record[name] for name in names}
        entries = tuple(record.get("api_keys", ()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if not all(isinstance(text, str) and text for text in (*texts.values(), *entries)):
        raise _damaged(path, "every value must be a text that is not empty")
    loaded = StackSecrets(**texts, api_keys=entries)
    if not stored.keys() >= texts.keys():
        _save(path.parent, loaded)
    return loaded


def _damaged(path: Path, reason: str) -> StackError:
    return StackError(
        f"{path} cannot be used ({reason}): restore it from a copy, or delete the whole data folder to begin anew "
        "(jobs that wait there are lost)"
    )


def _save(folder: Path, stack_secrets: StackSecrets) -> None:
    make_private_folder(folder)
    write_private_file(folder / SECRETS_FILE_NAME, json.dumps(asdict(stack_secrets), indent=2) + "\n")
