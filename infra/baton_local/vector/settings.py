"""Everything that can be set, in one frozen object."""

from dataclasses import dataclass, field
from pathlib import Path

from baton_local.vector.core.limits import Limits

DEFAULT_PORT = 8078
NO_EMBEDDER = "none"
HASHING_EMBEDDER = "hash"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server is started with; None for `token` means the folder's own, for `dimension` the embedder's."""

    data: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    token: str | None = None
    shows_token: bool = True  # at the start; not where its starter gave it by the environment
    proof: str | None = None  # what `/readyz` shows, so that its starter knows it among others
    read_only_token: str | None = None
    dimension: int | None = None
    embedder: str = HASHING_EMBEDDER
    index_delay_ms: int = 0
    faults: bool = False
    limits: Limits = field(default_factory=Limits)
