"""What the stack has to say, and to whom: declared here, implemented by each command.

Two kinds, because a command may treat them differently: notices are the supervisor's own and few; log lines are what a
part wrote, an error or its last words, and may be many.
"""

from typing import Protocol


class Screen(Protocol):
    """Where the stack's words go."""

    def notice(self, name: str, line: str) -> None:
        """Say something about a part, or about the stack as a whole."""

    def log_line(self, name: str, line: str) -> None:
        """Show a line of a part's log."""
