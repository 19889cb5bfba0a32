"""What a job, a call or a question is about, in a line: from names and arguments alone, never by a model. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from baton.sdk.records.redaction import REDACTED

_VALUE_CHARS, _MOST_ARGUMENTS, _MOST_ITEMS = 60, 6, 4
_LONGEST_CHARS, _LINE_CHARS = 300, 120
# Of a beginning that all siblings have, this much stays, and so much is left out at least.
_KEPT_CHARS, _CUT_CHARS = 12, 12
_DEEPEST = 3
# The tool by which code asks a person; declaring it costs an import of its own.
APPROVAL = "approval"
_MISSING: Any = object()


def sentence(agent: str, tool: str, arguments: Mapping[str, Any]) -> str:
    """Describe an agent's call: `support wants to run refund: order id 1234, amount 50`."""
    return _clipped(f"{agent} wants to run {called(tool, arguments)}", _LONGEST_CHARS)


def called(what: str, arguments: Mapping[str, Any]) -> str:
    """Name something with its arguments: `refund: order id 1234`."""
    listed = _listed(arguments.items())
    return f"{what}: {listed}" if listed else what


def approval_sentence(agent: str, view: Mapping[str, Any]) -> str:
    """Describe an approval, as the API shows it: a call, a call's question, a limit of its job, or a budget."""
    about = view["arguments"]
    if "form" in view:
        return _clipped(f"{agent} asks: {line_of(view['title'])}", _LONGEST_CHARS)
    if about.get("limit") == "budget" and view["tool"] is None:
        return f"{agent} wants to continue, and {view['title']}"
    if view["tool"] is None:
        return f"{agent} wants to continue beyond its limit of {about['value']:g} {_words(about['limit'])}"
    return sentence(agent, view["tool"], view.get("editedArguments") or about)


def question_summary(title: str, tool: str | None, arguments: Mapping[str, Any], *, has_form: bool) -> str:
    """Say what is asked: a question's own words, and of a call that is to run its arguments."""
    return line_of(title if has_form or tool is None else called(title, arguments))


def task_summary(text: str, data: Any, *, is_code: bool) -> str:
    """Say what a job is about: its task; of code, or without one, also the first text of its input, least deep."""
    own = line_of(text)
    first = next(_texts(data), "") if is_code or not own else ""
    return own if first in own else line_of(f"{own}: {first}") if own else first


def call_summaries(siblings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say of calls of one tool what each is about: the arguments in which they differ, or all where none differs.

    A long beginning that all values have is left out: `…/orders/17`.
    """
    all_leaves = [dict(_leaves(arguments)) for arguments in siblings]
    values: dict[str, list[Any]] = {}
    for leaves in all_leaves:
        for path in leaves:
            values.setdefault(path, [])
    for path, found in values.items():
        found += [leaves.get(path, _MISSING) for leaves in all_leaves]
    differing = [path for path, found in values.items() if any(each != found[0] for each in found)]
    cut = {path: _alike(values[path]) for path in differing}
    return [
        _summary({path: leaves[path] for path in differing or leaves if path in leaves}, cut) for leaves in all_leaves
    ]


def _summary(leaves: Mapping[str, Any], cut: Mapping[str, int]) -> str:
    """List a call's arguments in a line; of one alone the value is enough."""
    shown = {
        path: f"…{value[cut[path] :]}" if cut.get(path) and isinstance(value, str) else value
        for path, value in leaves.items()
    }
    if len(shown) == 1:
        value = next(iter(shown.values()))
        return "" if value == REDACTED else line_of(value) if isinstance(value, str) else _value(value)
    return _clipped(_listed((path.rpartition("\0")[2], value) for path, value in shown.items()), _LINE_CHARS)


def _leaves(value: Mapping[str, Any], path: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    for name, part in value.items():
        if isinstance(part, dict) and part and depth < _DEEPEST:
            yield from _leaves(part, f"{path}{name}\0", depth + 1)
        else:
            yield f"{path}{name}", part


def _alike(values: Sequence[Any]) -> int:
    """Return how many characters at their beginning say nothing, since all have them."""
    texts = [value for value in values if isinstance(value, str)]
    first, last = min(texts, default=""), max(texts, default="")
    same = next((at for at, char in enumerate(first) if last[at : at + 1] != char), len(first)) - _KEPT_CHARS
    return same if same >= _CUT_CHARS else 0


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            if (text := line_of(value)) and value != REDACTED:
                yield text
        case dict():
            for part in sorted(value.values(), key=lambda part: isinstance(part, dict | list)):
                yield from _texts(part)
        case list():
            for part in value:
                yield from _texts(part)


def line_of(text: str) -> str:
    """Put a text into one line of at most 120 characters."""
    return _clipped(" ".join(text[: 10 * _LINE_CHARS].split()), _LINE_CHARS)


def _listed(named: Iterable[tuple[str, Any]]) -> str:
    seen = [(name, value) for name, value in named if value != REDACTED]
    shown = [f"{_words(name)} {_value(value)}" for name, value in islice(seen, _MOST_ARGUMENTS)]
    more = len(seen) - len(shown)
    return ", ".join(shown) + (f", and {more} more" if more else "")


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
