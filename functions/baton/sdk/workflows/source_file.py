"""A file of the user: its lines and syntax, and the statements of it that belong to a program.

Invariant: a line keeps its number, but for lines that a rewriting adds, which are counted. Must not: follow names.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from msgspec import structs

from baton.sdk.workflows.rewriting import Needs, is_task_group, rewritten


@dataclass
class SourceFile:
    """A file of the user. `taken`: the statements of it that belong to the program."""

    shown: str
    lines: list[str]
    tree: ast.Module
    taken: list[ast.stmt] = field(default_factory=list[ast.stmt])

    @cached_property
    def has_groups(self) -> bool:
        """Whether a task group stands in it, so that names may be tasks."""
        return any(map(is_task_group, ast.walk(self.tree)))

    def text(self, needs: Needs) -> tuple[str, tuple[int, ...]]:
        """Return its statements' lines on their own numbers, all else blank, and the numbers of added lines."""
        kept = self._kept(structs.replace(needs, has_groups=self.has_groups))
        all_lines = [kept.get(number, "") for number in range(1, max(kept, default=0) + 1)]
        added, at = list[int](), 0
        for line in all_lines:
            added += range(at + 2, at + 2 + line.count("\n"))
            at += 1 + line.count("\n")
        return "\n".join(all_lines) + "\n", tuple(added)

    def _kept(self, needs: Needs) -> dict[int, str]:
        """Return the lines of its statements by number, rewritten, at the left margin."""
        kept = dict[int, str]()
        for node in self.taken:
            in_texts, indent = set(_lines_in_texts(node)), node.col_offset
            for number, text in rewritten(self.lines, node, needs).items():
                first, *added = text.split("\n")
                lines = [line[indent:] if line[:indent].isspace() else line for line in (first, *added)]
                kept[number] = "\n".join([first if number in in_texts else lines[0], *lines[1:]])
        return kept


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
