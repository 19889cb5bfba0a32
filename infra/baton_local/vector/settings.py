"""Everything that can be set, in one frozen object, and the bounds of what the index takes (vector-rest.md 3, 9)."""

from dataclasses import dataclass, field
from pathlib import Path

MAX_DIMENSION = 3_072


@dataclass(frozen=True, slots=True)
class Limits:
    """The hosted service's where it documents one; the rest keeps one process healthy."""

    max_metadata_bytes: int = 48 * 1_024
    max_metadata_depth: int = 100
    max_fetched_by_prefix: int = 1_000
    max_resumable_queries: int = 100
    max_request_bytes: int = 100 * 1_024 * 1_024


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
