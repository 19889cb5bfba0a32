"""A docstring, taken apart: its text, and what it says of each parameter. Pure.

The docstrings are Google's style: a section is a line such as `Args:`, and its entries are indented below it.
"""

import re
from dataclasses import dataclass

_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises):$")
_ENTRY = re.compile(r"^ {4}(\w+): (.*)$")
_NAMED = ("Args", "Attributes")


@dataclass(frozen=True)
class DocstringParts:
    """`text` is all that stands in no section; `parameters` has a sentence or more for a name."""

    text: str
    parameters: dict[str, str]


def docstring_parts(docstring: str) -> DocstringParts:
    """Take a docstring without indentation apart; what it returns and raises is left out."""
    text: list[str] = []
    parameters: dict[str, str] = {}
    section, name = "", ""
    for line in docstring.splitlines():
        started = _SECTION.match(line)
        if started is not None or (section and line and not line.startswith(" ")):
            section = started[1] if started is not None else ""
        if not section:
            text.append(line)
        elif section in _NAMED and (entry := _ENTRY.match(line)) is not None:
            name = entry[1]
            parameters[name] = entry[2]
        elif section in _NAMED and name and line.strip() and started is None:
            parameters[name] += f" {line.strip()}"
    return DocstringParts("\n".join(text).strip(), parameters)
