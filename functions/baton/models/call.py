"""A call of a tool that a model wants.

Invariant: a call is plain JSON data, so that it can be written down in one process and run in another.
It carries no id: ids are derived from the job, the turn, the position and the digest of tool and arguments.
"""

from typing import Any

from msgspec import field

from baton.record import Record


class Call(Record, frozen=True):
    """One call: which tool, with which arguments (a JSON object)."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what could not be a tool call."""
        if not isinstance(self.tool, str) or not self.tool:
            raise TypeError(
                f"Call(tool=...) must be a tool's name, got {self.tool!r}; write Call('read_file', {{...}})"
            )
        if not isinstance(self.arguments, dict) or not all(isinstance(key, str) for key in self.arguments):
            raise TypeError(
                f"Call({self.tool!r}, arguments) must be a dict with text keys, got {self.arguments!r};"
                " write Call('read_file', {'path': 'a.txt'})"
            )
