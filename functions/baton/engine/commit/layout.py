"""The stored form of a tree: the state of all its jobs in one hash, and three keys of its own for each of them.

Invariant: reading what was written gives the same tree. Fields are compared as the texts that were read, so records
need no canonical form. A job's only work item is in the job's own field: one write replaces it by the next item, or by
an empty text. Where there are several, each has a field of its own, which is removed with it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from baton.engine.commit.codec import Texts, dump, load_item, load_job, load_slot_state, load_spend, load_usage
from baton.engine.commit.draft import Draft
from baton.engine.commit.tree import Tree
from baton.engine.commit.usage_ledger import USED_APART, apart_in, plus
from baton.engine.state import NOTHING_USED
from baton.engine.work_items import ItemKind, WorkItem

Fields = dict[str, str]


class _Kind(Struct, frozen=True):
    """One kind of record in the state."""

    prefix: str
    attribute: str
    load: Callable[[str, Texts | None], Any]


_KINDS = (
    _Kind("job:", "jobs", load_job),
    _Kind("slot_state:", "slot_states", lambda text, _: load_slot_state(text)),
    _Kind("usage:", "usage", lambda text, _: load_usage(text)),
    _Kind("child_usage:", "child_usage", lambda text, _: load_spend(text)),
)
# By call, and not by job: each is written once.
_NEEDED = _Kind("needed_until:", "needed_until", lambda text, _: int(text))
_ENDED = _Kind("ended:", "ended", lambda text, _: text)
_WRITTEN = (*_KINDS, _NEEDED, _ENDED)
_BY_PREFIX = {kind.prefix: kind for kind in _WRITTEN}
_ITEM, _EVENT, _MESSAGE = "item:", "event:", "message:"
_SHARED = ("job", "child_usage")


def tree_of(state: Mapping[str, str], known: Mapping[str, str], before: Tree, texts: Texts | None = None) -> Tree:
    """Parse the state as a tree. `known`, `before`: a state that was read or written earlier, and its tree.

    `texts` opens what is sealed, as far as it can.
    """
    found: dict[str, dict[str, Any]] = {kind.attribute: {} for kind in _WRITTEN}
    events: dict[str, dict[str, str]] = {}
    messages: dict[str, dict[str, str]] = {}
    items, placed = dict[str, WorkItem](), dict[str, str]()
    apart = apart_in(state) or apart_in(known)  # then usage is more than its own field
    for field in sorted(state):
        text, (prefix, colon, name) = state[field], field.partition(":")
        kind = _BY_PREFIX.get(prefix + colon)
        if kind:
            same = known.get(field) == text and not (apart and kind.attribute == "usage")
            found[kind.attribute][name] = getattr(before, kind.attribute)[name] if same else kind.load(text, texts)
        elif prefix + colon == _ITEM and text:
            same = known.get(field) == text
            item = before.items[before.placed.get(name, name)] if same else load_item(text, texts)
            items[item.key] = item
            if item.key != name:
                placed[name] = item.key
        elif prefix + colon == _EVENT:
            job_id, _, at = name.partition(":")
            events.setdefault(job_id, {})[at] = text
        elif prefix + colon == _MESSAGE:
            job_id, _, at = name.partition(":")
            messages.setdefault(job_id, {})[at] = texts.opened(text) if texts and text else text
        elif prefix + colon == USED_APART:
            job_id, usage = name.partition(":")[0], found["usage"]
            usage[job_id] = plus(usage.get(job_id, NOTHING_USED), load_usage(text))
    return Tree(
        jobs=found["jobs"],
        slot_states=found["slot_states"],
        usage=found["usage"],
        items=items,
        child_usage=found["child_usage"],
        needed_until=found["needed_until"],
        ended=found["ended"],
        events=events,
        messages=messages,
        placed=placed,
    )


def written(before: Tree, draft: Draft, texts: Texts | None = None) -> tuple[Fields, list[str]]:
    """Return the fields of the state that a draft writes, and those that it removes; choose those of new work items.

    `texts` seals what is written.
    """
    new: Fields = {}
    gone: list[str] = []
    for name, record in draft.fields.items():
        if record is None:
            gone.append(name)
        else:
            new[name] = _text_of(name, record, texts)
    if not draft.touched:
        return new, gone
    _place(before, draft)
    for key in draft.touched:
        if key in draft.items:
            item = draft.items[key]
            new[field_of(item, draft)] = dump(item, texts)
    for key in draft.touched:
        if key in draft.items or key not in before.items:
            continue
        item = before.items[key]
        if (field := field_of(item, before)) in new:
            continue
        if before.placed.get(item.job_id) == key and len(items_of(item.job_id, before)) == 1:
            new[field] = ""
        else:
            gone.append(field)
    return new, gone


def _text_of(name: str, record: Any, texts: Texts | None) -> str:
    if not isinstance(record, str):
        return dump(record, texts)
    return texts.seal(record) if texts and name.startswith(_MESSAGE) else record


def _place(before: Tree, draft: Draft) -> None:
    """Choose fields for the new work items.

    A job's own field is for an item that follows on the only one before it, or on none. Where there are several items,
    a reader relies on each one's field to be removed with it.
    """
    placed = {job_id: key for job_id, key in before.placed.items() if key in draft.items}
    is_free: dict[str, bool] = {}
    for key in draft.touched:
        if key in before.items or key not in draft.items:
            continue
        job_id = draft.items[key].job_id
        if job_id in placed or job_id not in draft.jobs:
            continue
        if job_id not in is_free:
            was = items_of(job_id, before)
            is_free[job_id] = not was or (len(was) == 1 and was[0].key not in draft.items)
        if is_free[job_id]:
            placed[job_id] = key
    draft.placed = placed


def field_of(item: WorkItem, tree: Tree) -> str:
    return f"{_ITEM}{item.job_id if tree.placed.get(item.job_id) == item.key else item.key}"


def fields_of(job_id: str, tree: Tree) -> list[str]:
    """Return the fields of the state that are about this job, also where they are absent."""
    own = [f"{kind.prefix}{job_id}" for kind in _KINDS]
    items = [field_of(item, tree) for item in items_of(job_id, tree)]
    signals = (f"{_EVENT}{job_id}:{at}" for at in tree.events.get(job_id, ()))
    news = (f"{_ENDED.prefix}{name}" for name in tree.news(job_id))
    return [*own, *items, *news, *signals, *(f"{_MESSAGE}{job_id}:{at}" for at in tree.messages.get(job_id, ()))]


def items_of(job_id: str, tree: Tree) -> list[WorkItem]:
    return [item for item in tree.items.values() if item.job_id == job_id]


def turns_of(tree: Tree) -> list[str]:
    """Return the fields of the tree's turns, which reserve from the limits that their jobs share."""
    return [field_of(item, tree) for item in tree.items.values() if item.kind is ItemKind.LOOP]


def budget_scopes_of(job_ids: Iterable[str], tree: Tree) -> list[str]:
    """Return the fields with the limits and the usage of these jobs and those above them."""
    above = [name for name in tree.jobs if any(each == name or each.startswith(f"{name}.") for each in job_ids)]
    return [f"{what}:{name}" for name in above for what in _SHARED]
