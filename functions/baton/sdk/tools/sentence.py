"""A tool call's purpose in one sentence: made from names and arguments alone, never by a model. Pure."""

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any

from baton.sdk.records.redaction import REDACTED

_VALUE_CHARS, _MOST_ARGUMENTS, _MOST_ITEMS = 60, 6, 4
_LONGEST_CHARS = 300


def sentence(agent: str, tool: str, arguments: Mapping[str, Any]) -> str:
    """Describe an agent's call: `support wants to run refund: order id 1234, amount 50`."""
    seen = {name: value for name, value in arguments.items() if value != REDACTED}
    shown = [f"{_words(name)} {_value(value)}" for name, value in islice(seen.items(), _MOST_ARGUMENTS)]
    more = len(seen) - len(shown)
    listed = ", ".join(shown) + (f", and {more} more" if more else "")
    text = f"{agent} wants to run {tool}" + (f": {listed}" if listed else "")
    return _clipped(text, _LONGEST_CHARS)


def approval_sentence(agent: str, view: Mapping[str, Any]) -> str:
    """Describe an approval, as the API shows it: a call, a call's question, a limit of its job, or a budget."""
    about = view["arguments"]
    if "form" in view:
        return f"{agent} called {view['tool']}, which asks for an answer"
    if about.get("limit") == "budget" and view["tool"] is None:
        return f"{agent} wants to continue, and {view['title']}"
    if view["tool"] is None:
        return f"{agent} wants to continue beyond its limit of {about['value']:g} {_words(about['limit'])}"
    return sentence(agent, view["tool"], about)


def _words(name: str) -> str:
    """Split an argument's name into words: `orderId` and `order_id` are `order id`."""
    spaced = "".join(
        f" {char.lower()}" if char.isupper() and before.islower() else char
        for before, char in zip(f" {name}", name, strict=False)
    )
    return " ".join(spaced.replace("_", " ").split()) or name


def _value(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case str():
            return _clipped(" ".join(value.split()), _VALUE_CHARS) or "empty"
        case dict():
            return f"({_clipped(', '.join(f'{_words(str(name))} {_value(part)}' for name, part in value.items()), 60)})"
        case list():
            more = f" and {len(value) - _MOST_ITEMS} more" if len(value) > _MOST_ITEMS else ""
            return f"[{_clipped(', '.join(map(_value, value[:_MOST_ITEMS])), _VALUE_CHARS)}{more}]"
        case _:
            return json.dumps(value, default=str)


def _clipped(text: str, chars: int) -> str:
    return text if len(text) <= chars else f"{text[: chars - 1]}…"
