"""Everything that can be set, in one frozen object (qstash.md 20, 26)."""

from dataclasses import dataclass, field
from pathlib import Path

from baton_local.qstash.core.limits import Limits
from baton_local.qstash.users import DEVELOPMENT_USERS, User


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server is started with."""

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
