"""Read a tool's docstring: what the tool does, and what each argument means (Google style, an `Args:` section).

Invariant: reading never fails; a docstring in another style is taken whole as the description.
"""

import inspect
import re

from msgspec import Struct, field

_ARGS_HEADER = re.compile(r"(Args|Arguments|Parameters):\s*")
_ARGUMENT = re.compile(r"(?P<name>\*{0,2}\w+)\s*(\([^)]*\))?\s*:\s*(?P<text>.*)")


class Docstring(Struct, frozen=True):
    """A docstring in two parts: the description (without the `Args:` section) and the arguments' texts by name."""

    description: str = ""
    arguments: dict[str, str] = field(default_factory=dict)


def read_docstring(text: str | None) -> Docstring:
    """Split a docstring into its description and its arguments."""
    before: list[str] = []
    section: list[str] = []
    after: list[str] = []
    target = before
    for line in inspect.cleandoc(text or "").splitlines():
        if target is before and _ARGS_HEADER.fullmatch(line):
            target = section
            continue
        if target is section and line and not line[0].isspace():
            target = after
        target.append(line)
    parts = ("\n".join(before).strip(), "\n".join(after).strip())
    return Docstring(description="\n\n".join(part for part in parts if part), arguments=_read_arguments(section))


def _read_arguments(lines: list[str]) -> dict[str, str]:
    """Read `name: text` and `name (type): text`; a deeper indent goes on with the text."""
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        match = _ARGUMENT.fullmatch(line.strip())
        if match and len(line) - len(line.lstrip()) == indent:
            current = found.setdefault(match["name"].lstrip("*"), [])
            current.append(match["text"])
        else:
            current.append(line.strip())
    return {name: " ".join(part for part in parts if part) for name, parts in found.items()}
