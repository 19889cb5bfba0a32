"""Parts and transcript entries, decoded, for expectations."""

import json
from collections.abc import Iterable
from typing import Any


def decoded(texts: Iterable[str]) -> list[dict[str, Any]]:
    """Each text as the object that it holds."""
    return [json.loads(text) for text in texts]


def types_of(parts: Iterable[str]) -> list[str]:
    return [part["type"] for part in decoded(parts)]


def outcomes(parts: Iterable[str]) -> list[str]:
    return [part["data"]["outcome"] for part in decoded(parts) if part["type"] == "data-event"]
