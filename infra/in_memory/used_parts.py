"""What a COMMIT adds to a job's books, said in the part of the event that it ends, as commit.lua says it."""

import json

from pydantic.alias_generators import to_camel

from events.core.ends import COUNTED
from events.core.state import Usage
from events.replacing import replace
from infra.in_memory.tree import Tree

_EVENT_END = '},"transient":true,"type":"data-event"}'


def with_used(before: Tree, tree: Tree, job_id: str) -> Tree:
    """The tree that a COMMIT has made of the one before."""
    said, known = tree.parts.get(job_id, ()), len(before.parts.get(job_id, ()))
    at = next((at for at in range(known, len(said)) if said[at].endswith(_EVENT_END)), None)
    if at is None:
        return tree
    used = _more(before.usage.get(job_id, Usage()), tree.usage.get(job_id, Usage()))
    return replace(tree, parts={**tree.parts, job_id: (*said[:at], _told(said[at], used), *said[at + 1 :])})


def _told(text: str, used: dict[str, int]) -> str:
    return f'{text.removesuffix(_EVENT_END)},"used":{json.dumps(used, separators=(",", ":"))}{_EVENT_END}'


def _more(before: Usage, after: Usage) -> dict[str, int]:
    more = {name: getattr(after, name) - getattr(before, name) for name in ("appends", *COUNTED)}
    return {to_camel(name): much for name, much in more.items() if much}
