"""Bounds of what the index takes (vector-rest.md 3, 9)."""

from dataclasses import dataclass

MAX_DIMENSION = 3_072


@dataclass(frozen=True, slots=True)
class Limits:
    """The hosted service's where it documents one; the rest keeps one process healthy."""

    max_metadata_bytes: int = 48 * 1_024
    max_metadata_depth: int = 100
    max_fetched_by_prefix: int = 1_000
    max_resumable_queries: int = 100
    max_request_bytes: int = 100 * 1_024 * 1_024
