"""How much the store in memory tells, as the real one counts it."""

from dataclasses import replace

from events.core.state import Job
from events.core.transcript import still_told
from events.ports import History
from infra.in_memory.tree import Tree


def weighed(tree: Tree, job: Job, told: History) -> History:
    """With its size. Nothing is left out here, where no answer can be too large."""
    stored, said = tree.results.get(job.id, {}), tree.transcript.get(job.id, ()) if told.transcript else ()
    texts = (*still_told(said, told.untold), *(stored[name] for name in told.results))
    return replace(told, size_bytes=sum(map(len, texts))) if texts else told
