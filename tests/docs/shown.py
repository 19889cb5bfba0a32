"""Whether what was printed is what the page shows. Pure.

In both forms `…` stands for anything: within a text for any characters, as a JSON string for any value. A JSON object
may have more fields than the page shows.
"""

import json
import re
from typing import Any

ANYTHING = "…"


def text_matches(shown: str, printed: str) -> bool:
    pattern = ".*?".join(re.escape(part) for part in shown.strip().split(ANYTHING))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def json_matches(shown: str, printed: str) -> bool:
    try:
        return _fits(json.loads(shown), json.loads(printed))
    except ValueError:
        return False


def _fits(shown: Any, printed: Any) -> bool:
    if shown == ANYTHING:
        return True
    match shown, printed:
        case dict(), dict():
            return all(name in printed and _fits(value, printed[name]) for name, value in shown.items())
        case list(), list():
            return len(shown) == len(printed) and all(map(_fits, shown, printed))
        case str(), str():
            return text_matches(shown, printed)
    return bool(shown == printed)
