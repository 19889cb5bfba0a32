"""The pictures of the pages: the house, by its imports, and the lives of jobs and calls, by their transitions.

The house shows the folders of `baton` and which imports which. An arrow that follows from others is left out: who
imports by way of another folder, or of a module beside the folders.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import grimp  # comes with import-linter

from baton.engine.transitions import CALL_TRANSITIONS, JOB_TRANSITIONS, CallStatus, JobStatus


def house() -> str:
    graph = grimp.build_graph("baton_local", "baton", "baton_events", cache_dir=None)
    folders = [part for part in sorted(graph.find_children("baton")) if graph.find_children(part)]
    shown = ["baton_local", *folders, "baton_events"]
    for part in shown:
        graph.squash_module(part)
    below = {
        part: {other for other in shown if other != part and graph.chain_exists(importer=part, imported=other)}
        for part in shown
    }
    arrows = []
    for part in shown:
        further = {other for between in below[part] for other in below[between]}
        if following := sorted(other.removeprefix("baton.") for other in below[part] - further):
            arrows.append(f"{part.removeprefix('baton.')} --> {' & '.join(following)}")
    return _mermaid("flowchart TD", arrows)


def job_diagram() -> str:
    return _diagram(JobStatus.PENDING, JOB_TRANSITIONS)


def call_diagram() -> str:
    return _diagram(CallStatus.QUEUED, CALL_TRANSITIONS)


def _diagram(first: str, transitions: Mapping[Any, str]) -> str:
    lines = [f"{before} --> {after}: {step}" for (before, step), after in transitions.items()]
    leaving = {before for before, _ in transitions}
    ends = dict.fromkeys(after for after in transitions.values() if after not in leaving)
    return _mermaid("stateDiagram-v2", [f"[*] --> {first}", *lines, *(f"{end} --> [*]" for end in ends)])


def _mermaid(kind: str, lines: Iterable[str]) -> str:
    return "\n".join(["```mermaid", kind, *(f"    {line}" for line in lines), "```"])
