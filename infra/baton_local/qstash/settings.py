"""Everything that can be set, in one frozen object (qstash.md 20), and who may call the server (qstash.md 1).

A user is a token, and the signing keys that its receivers know.
"""

import hmac
import json
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from baton_local.qstash.core.limits import Limits


@dataclass(frozen=True, slots=True)
class User:
    """One tenant's credentials."""

    id: str
    token: str
    current_signing_key: str
    next_signing_key: str
    read_only_token: str | None = None


# The vendor's published development users, so that `QSTASH_DEV=true` works against this server.
DEVELOPMENT_USERS = (
    User(
        "defaultUser",
        "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0=",
        "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r",
        "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs",
    ),
    User(
        "testUser1",
        "eyJVc2VySUQiOiJ0ZXN0VXNlcjEiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9",
        "sig_7GVPjvuwsfqF65iC8fSrs1dfYruM",
        "sig_5NoELc3EFnZn4DVS5bDs2Nk4b7Ua",
    ),
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, and whether they may change anything."""

    user_id: str
    may_write: bool
    published: bool = False  # everybody knows its token


def user_id_of(token: str) -> str:
    """Return the `UserID` inside a token of the vendor's form, else the name of the one other user."""
    try:
        content = json.loads(b64decode(token, validate=True))
    except ValueError:
        return "primary"
    user_id = content.get("UserID") if isinstance(content, dict) else None
    return user_id if isinstance(user_id, str) and user_id else "primary"


def is_published(token: str) -> bool:
    """Return whether everybody knows the token, so that a page of any site could send it."""
    return any(user.token == token for user in DEVELOPMENT_USERS)


def users_with(primary: User) -> tuple[User, ...]:
    """Return the development users if the first has one of their tokens; else that user alone."""
    if not is_published(primary.token):
        return (primary,)
    return (primary, *(user for user in DEVELOPMENT_USERS if primary.token != user.token))


class Callers:
    """Finds out who calls, in constant time per token."""

    def __init__(self, users: Iterable[User]) -> None:
        self._known: list[tuple[bytes, Caller]] = []
        for user in users:
            caller = Caller(user.id, may_write=True, published=is_published(user.token))
            self._known.append((user.token.encode(), caller))
            if user.read_only_token is not None:
                self._known.append((user.read_only_token.encode(), Caller(user.id, may_write=False)))

    def identify(self, token: str) -> Caller | None:
        """Return the caller with this token; None if there is none."""
        given = token.encode()
        return next((caller for known, caller in self._known if hmac.compare_digest(known, given)), None)


@dataclass(frozen=True, slots=True)
class Settings:
    data: Path
    host: str = "127.0.0.1"
    port: int = 8080
    users: tuple[User, ...] = DEVELOPMENT_USERS
    limits: Limits = field(default_factory=Limits)
    # Wait for the disk at each (group) commit; without it a power cut, not a killed process, may lose the last moments.
    synced: bool = True
    keep_finished_seconds: int = 24 * 3_600
    keep_finished_bytes: int = 256 * 1_024 * 1_024
    stop_grace_seconds: float = 2.0
    # The hosted service's 429s, to try callers against; None: no limit (qstash.md 20).
    max_calls_per_second: int | None = None
    max_messages_per_day: int | None = None
    # Faults on demand and a reset, for tests; never on a server that others rely on.
    faults: bool = False
    # What `/readyz` shows, so that its starter knows it among others on the machine.
    proof: str | None = None
    # Whether token and keys are printed at the start; not where its starter gave them by the environment.
    shows_secrets: bool = True
