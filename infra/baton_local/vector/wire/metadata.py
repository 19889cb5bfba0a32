"""What may be stored as metadata: a JSON object that is small, not too deep, and can be written out again."""

import json
from typing import Any

from baton_local.vector.core.errors import malformed, unacceptable
from baton_local.vector.core.limits import Limits
from baton_local.vector.core.record import Metadata


def check_metadata(metadata: Metadata, limits: Limits) -> None:
    """Refuse what cannot be stored."""
    if _is_deeper(metadata, limits.max_metadata_depth):
        raise unacceptable(f"metadata: has more than {limits.max_metadata_depth} objects and arrays inside each other")
    try:
        size_bytes = len(json.dumps(metadata, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass"))
    except ValueError:  # such as 1e999
        raise malformed("metadata: has a number that is not finite") from None
    if size_bytes > limits.max_metadata_bytes:
        raise unacceptable(f"metadata: {size_bytes} bytes are over the limit of {limits.max_metadata_bytes}")


def _is_deeper(value: Any, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return depth == 0 or any(_is_deeper(one, depth - 1) for one in inner)
