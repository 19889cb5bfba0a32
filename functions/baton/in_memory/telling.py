"""What who holds a work item is told of what was said before: with its size, as the real store counts it."""

import json
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from baton.core.state import State
from baton.core.transcript import calls_in, still_told
from baton.core.work_items import ItemKind
from baton.engine.tree import Tree
from baton.ports import ClaimResult, History


def told(tree: Tree, claim_result: ClaimResult) -> ClaimResult:
    """With what was said before, where a work item was granted.

    A turn is told what was said, a step of a plan the results of those before it, who remembers the job its task.
    """
    if claim_result.state is None:
        return claim_result
    history = _told_to(tree, claim_result.state)
    return replace(claim_result, history=history) if history else claim_result


def results_of(tree: Tree, job_id: str) -> dict[str, dict[str, Any]]:
    """The stored results of a job, by the id of their call."""
    return _values(tree.results.get(job_id, {}))


def _told_to(tree: Tree, state: State) -> History | None:
    job, item = state.job, state.item
    said, results = tree.transcript.get(job.id, ()), tree.results.get(job.id, {})
    if item.kind is ItemKind.LOOP and job.model.reads_history:
        texts = still_told(said, job.untold)
        entries = tuple(_read(texts))
        names = results if job.untold == (0, 0) else [name for name in calls_in(entries) if name in results]
        return _history(texts, {name: results[name] for name in names}, job.untold)
    if item.kind is ItemKind.REMEMBER:
        return _history(said[:1], {})
    if item.kind is ItemKind.CALL and item.after:
        return _history((), {name: results[name] for name in item.after.split(",") if name in results})
    return None


def _history(texts: tuple[str, ...], results: dict[str, str], untold: tuple[int, int] = (0, 0)) -> History:
    """Nothing is left out here, where no answer can be too large."""
    size_bytes = sum(map(len, (*texts, *results.values())))
    return History(tuple(_read(texts)), _values(results), untold, size_bytes)


def _values(results: dict[str, str]) -> dict[str, dict[str, Any]]:
    return dict(zip(results, _read(results.values()), strict=True))


def _read(texts: Iterable[str]) -> list[Any]:
    """What these JSON texts say, read at once: a reader for each takes several times as long."""
    values: list[Any] = json.loads(f"[{','.join(texts)}]")
    return values
