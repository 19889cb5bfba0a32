"""A JSON object in a form's field."""

import json
from typing import Any

from baton.api.problem import ApiError


def read_object(text: str, name: str) -> dict[str, Any]:
    """The object; empty: none.

    Raises:
        ApiError: 422, with the place where it is wrong.
    """
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ApiError(422, f"{name}: not JSON: {error}", [(name, f"not JSON: {error}")]) from error
    if not isinstance(found, dict):
        detail = f"must be a JSON object such as {{}}, got {type(found).__name__}"
        raise ApiError(422, f"{name}: {detail}", [(name, detail)])
    return found
