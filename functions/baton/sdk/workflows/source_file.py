"""A file of the user: its lines and syntax, and the lines of it that belong to a program.

Invariant: a line keeps its number, but for lines that a rewriting adds, which are counted. Must not: follow names.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from baton.sdk.workflows.rewriting import is_task_group, rewritten


@dataclass
class SourceFile:
    """A file of the user, and the lines of it that belong to the program."""

    shown: str
    lines: list[str]
    tree: ast.Module
    kept: dict[int, str] = field(default_factory=dict[int, str])

    @cached_property
    def has_groups(self) -> bool:
        """Whether a task group stands in it, so that names may be tasks."""
        return any(map(is_task_group, ast.walk(self.tree)))

    def take(self, node: ast.stmt, indent: int) -> None:
        """Keep a statement's lines, rewritten, at the left margin."""
        in_texts = set(_lines_in_texts(node))
        for number, text in rewritten(self.lines, node, has_groups=self.has_groups).items():
            first, *added = text.split("\n")
            lines = [line[indent:] if line[:indent].isspace() else line for line in (first, *added)]
            self.kept[number] = "\n".join([first if number in in_texts else lines[0], *lines[1:]])

    @property
    def text(self) -> str:
        """The kept lines on their own numbers, and everything else blank."""
        return "\n".join(self._all_lines) + "\n"

    @property
    def added(self) -> tuple[int, ...]:
        """The numbers of lines in the text that are not in the file."""
        found, at = list[int](), 0
        for line in self._all_lines:
            found += range(at + 2, at + 2 + line.count("\n"))
            at += 1 + line.count("\n")
        return tuple(found)

    @property
    def _all_lines(self) -> list[str]:
        return [self.kept.get(number, "") for number in range(1, max(self.kept, default=0) + 1)]


def _lines_in_texts(node: ast.AST) -> Iterator[int]:
    """Yield the numbers of lines that begin within a text: their indent is the text's own."""
    for each in ast.walk(node):
        if isinstance(each, ast.JoinedStr) or (isinstance(each, ast.Constant) and isinstance(each.value, str | bytes)):
            yield from range(each.lineno + 1, (each.end_lineno or each.lineno) + 1)


@lru_cache(256)
def parsed(path: str) -> tuple[list[str], ast.Module]:
    """Read a file once: its lines and its syntax."""
    text = Path(path).read_text(encoding="utf-8")
    return text.split("\n"), ast.parse(text)  # `splitlines` has more ends of lines than Python's syntax


def shown_as(path: str, module: str) -> str:
    """Return the file's path as people know it, from the top of its package on."""
    parts = Path(path).parts
    return "/".join(parts[-(module.count(".") + 1 + (parts[-1] == "__init__.py")) :])
