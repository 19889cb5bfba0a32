"""Tables and lists in Markdown. Pure; a text may hold anything but a line break."""

from collections.abc import Iterable, Sequence


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return the table, one line a row, without a last line break."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines)


def markdown_list(rows: Iterable[tuple[str, str]]) -> str:
    """Return a list of names, each with what it means if that is known: for parameters and options."""
    return "\n".join(f"- `{name}`: {' '.join(what.split())}" if what else f"- `{name}`" for name, what in rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
