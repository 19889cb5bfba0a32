"""A plan as a graph: its steps in layers, each after those that it depends on. Pure.

Invariant: a step is drawn to the right of every step that it depends on. Must not: know markup, except for the paths of
edges.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

from baton.engine.state import CallRecord
from baton.server.console.shown import one_line

MOST_NODES = 150
NODE_WIDTH, NODE_HEIGHT = 170, 44
_COLUMN, _LINE, _MARGIN = 220, 60, 8
_NAME_CHARS, _TOOL_CHARS = 22, 13


class Node(NamedTuple):
    """A step: its place in pixels, its name and tool, its status in a word, and the page of its call."""

    x: int
    y: int
    name: str
    about: str
    status: str
    href: str


class Graph(NamedTuple):
    """All steps of one plan; `edges`: paths of SVG. `turn`: the turn that made it."""

    turn: int
    nodes: tuple[Node, ...]
    edges: tuple[str, ...]
    width: int
    height: int


def plan_graph(job: Mapping[str, Any], calls: Sequence[CallRecord], turn: int = 0) -> Graph | None:
    """Build the graph of a turn's plan; None: the turn made none, or one with too many steps to show at once.

    `job`: as the API shows it, for the status of its calls. `calls`: all calls of the job. `turn`: the turn that made
    the plan; 0: the newest one.
    """
    planned = [call for call in calls if call.step]
    chosen = turn or max((call.turn for call in planned), default=0)
    steps = {call.step: call for call in planned if call.turn == chosen}
    if not 0 < len(steps) <= MOST_NODES:
        return None
    statuses = {view["id"]: str(view["status"]) for view in job["toolCalls"]}
    places = _places(steps)
    nodes = tuple(_node(str(job["id"]), step, places[name], statuses) for name, step in steps.items())
    edges = tuple(
        _edge(places[before], places[name]) for name, step in steps.items() for before in step.after if before in places
    )
    width, height = (max(place[axis] for place in places.values()) for axis in (0, 1))
    return Graph(chosen, nodes, edges, width + NODE_WIDTH + _MARGIN, height + NODE_HEIGHT + _MARGIN)


def _places(steps: Mapping[str, CallRecord]) -> dict[str, tuple[int, int]]:
    """Place each step in a column after all that come before it, near the middle of them."""
    after = {name: [before for before in step.after if before in steps] for name, step in steps.items()}
    columns: dict[str, int] = {}
    for name in TopologicalSorter(after).static_order():
        columns[name] = 1 + max((columns[before] for before in after[name]), default=-1)
    layers: dict[int, list[str]] = defaultdict(list)
    for name in steps:
        layers[columns[name]].append(name)
    lines: dict[str, int] = {}
    for column in sorted(layers):
        middles = {name: _middle([lines[before] for before in after[name]]) for name in layers[column]}
        lines |= {name: line for line, name in enumerate(sorted(layers[column], key=middles.__getitem__))}
    return {name: (_MARGIN + columns[name] * _COLUMN, _MARGIN + lines[name] * _LINE) for name in steps}


def _middle(lines: Sequence[int]) -> float:
    return sum(lines) / len(lines) if lines else 0.0


def _node(job_id: str, step: CallRecord, place: tuple[int, int], statuses: Mapping[str, str]) -> Node:
    status = statuses.get(step.id, str(step.status))
    about = f"{one_line(step.tool, _TOOL_CHARS)}, {status}"
    return Node(*place, one_line(step.step, _NAME_CHARS), about, status, f"/console/jobs/{job_id}/calls/{step.id}")


def _edge(begin: tuple[int, int], end: tuple[int, int]) -> str:
    """Draw a curve from the right side of one step to the left side of another."""
    (x, y), (to_x, to_y) = begin, end
    x, y, to_y = x + NODE_WIDTH, y + NODE_HEIGHT // 2, to_y + NODE_HEIGHT // 2
    middle = (x + to_x) // 2
    return f"M{x} {y}C{middle} {y} {middle} {to_y} {to_x} {to_y}"
