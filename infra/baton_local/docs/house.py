"""The picture of the house in docs/architecture.md: the folders of `baton` and which imports which, from the imports.

An arrow that follows from others is left out: who imports by way of another folder, or of a module beside the folders.
"""

from collections.abc import Mapping

import grimp  # comes with import-linter

_PACKAGES = ("baton_local", "baton", "baton_events")


def house() -> str:
    """Draw an arrow from each folder to those that it imports."""
    graph = grimp.build_graph(*_PACKAGES, cache_dir=None)
    folders = [part for part in sorted(graph.find_children("baton")) if graph.find_children(part)]
    shown = ["baton_local", *folders, "baton_events"]
    for part in shown:
        graph.squash_module(part)
    below = {
        part: {other for other in shown if other != part and graph.chain_exists(importer=part, imported=other)}
        for part in shown
    }
    arrows = [f"{_short(part)} --> {' & '.join(_next(part, below))}" for part in shown if below[part]]
    return "\n".join(["```mermaid", "flowchart TD", *(f"    {arrow}" for arrow in arrows), "```"])


def _next(part: str, below: Mapping[str, set[str]]) -> list[str]:
    """Return those below a part that are below none of its others."""
    further = {other for between in below[part] for other in below[between]}
    return sorted(_short(other) for other in below[part] - further)


def _short(part: str) -> str:
    return part.removeprefix("baton.")
