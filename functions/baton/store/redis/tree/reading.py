"""The reads of a tree before a step of it is decided: its state, and calls and outcomes that are kept apart.

The data of a work item is read before it is granted: read later, another owner might have taken the item over and
changed the data.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from baton.engine.commit.answers import Claim
from baton.engine.commit.codec import load_call, load_tombstone
from baton.engine.commit.patch import Command
from baton.engine.commit.tree import Tree
from baton.engine.effects import Changes
from baton.engine.state import CallRecord
from baton.engine.work_items import ItemKind, WorkItem
from baton.store.redis import keys
from baton.store.redis.texts import TreeTexts
from baton.store.redis.tree.attempt import Transition
from baton.store.redis.tree.details import as_dict
from baton.store.redis.tree.snapshot import Place, TreeSnapshot, result_field

_ENDING = frozenset({ItemKind.FAILED, ItemKind.WAIT})
_ENDING_KEYS = tuple(f"{kind}:" for kind in sorted(_ENDING))
_NONE: dict[str, CallRecord] = {}


def known_results(snapshot: TreeSnapshot, transitions: Sequence[Transition]) -> dict[Place, str | None] | None:
    """Return the results that the transitions read; None where something that they read is not known."""
    results: dict[Place, str | None] = {}
    for transition in transitions:
        for place, must in transition.places(snapshot.tree):
            if must and not snapshot.knows_result(place):
                return None
            # An unknown result is taken for absent, which is then a condition.
            results[place] = snapshot.result(place)
        for place in transition.calls(snapshot.tree):
            if not snapshot.knows_call(place):
                return None
    return results


def reads_of(root_id: str, results: Sequence[Place], calls: Sequence[Place]) -> list[Command]:
    """Return the commands that read a tree, and these results and calls. Where there is none, its tombstone tells."""
    return [
        ["HGETALL", keys.state_key(root_id)],
        *(["HGET", *result_field(place)] for place in results),
        *(["HGET", keys.calls_key(job_id), name] for job_id, name in calls),
    ]


def read_again(
    snapshot: TreeSnapshot,
    answers: Sequence[Any],
    results: Sequence[Place],
    calls: Sequence[Place],
    texts: TreeTexts | None = None,
    stone: str | None = None,
) -> TreeSnapshot:
    """Return the snapshot of a tree after the answers to `reads_of`; `texts` opens what is sealed, as far as it can.

    `stone`: the tombstone, where no tree is.
    """
    state, *found = answers
    opened = [texts.opened(text) if texts and text else text for text in found[: len(results)]]
    known_results = {place: text or None for place, text in zip(results, opened, strict=True)}
    records = [load_call(text, texts) if text else None for text in found[len(results) :]]
    known = dict(zip(calls, records, strict=True))
    return snapshot.read_again(as_dict(state), load_tombstone(stone), known_results, known, texts)


def calls_claimed_with(claim: Claim, tree: Tree) -> list[Place]:
    """Return the calls that the claim of this work item returns."""
    if not tree.jobs and claim.item_key.startswith(_ENDING_KEYS):  # nothing is known: its own is read with all else
        return [(claim.job_id, claim.call_id)]
    item = tree.items.get(claim.item_key)
    return _calls_of([item] if item else (), tree.calls.get(claim.job_id, _NONE))


def calls_continued(claim: Claim, changes: Changes, tree: Tree) -> list[Place]:
    """Return the calls that a COMMIT returns with its claims, and those that its code gives up."""
    given_up: list[Place] = []
    if changes.gives_up:
        given_up = [(claim.job_id, name) for name in tree.steps(claim.job_id, changes.gives_up)]
    pending = [item for item in tree.items.values() if item.kind in _ENDING and _is_pending(item, claim)]
    new = [item for item in changes.items if item.kind in _ENDING]
    if not (pending or new):
        return given_up
    known = {**tree.calls.get(claim.job_id, _NONE), **{record.id: record for record in changes.calls}}
    written = {record.id for record in changes.calls}
    return given_up + [place for place in _calls_of((*pending, *new), known) if place[1] not in written]


def outcomes_continued(claim: Claim, tree: Tree) -> list[tuple[Place, bool]]:
    """Return the outcomes of the waits that are over: where there is none, a time-out is written."""
    return [
        ((item.job_id, item.call_id), True)
        for item in tree.items.values()
        if item.kind is ItemKind.WAIT and item.not_before_ms <= claim.now_ms and _is_pending(item, claim)
    ]


def _is_pending(item: WorkItem, claim: Claim) -> bool:
    return item.job_id == claim.job_id and item.relay_id == claim.message_id


def _calls_of(items: Iterable[WorkItem], known: Mapping[str, CallRecord]) -> list[Place]:
    """Return the own call of a step that may fail, or of a question, and those that end with it."""
    places: list[Place] = []
    for item in items:
        if item.kind in _ENDING and (item.step or item.approval_of_call):
            record = known.get(item.call_id)
            names = record.dependants if record else ()
            places += [(item.job_id, name) for name in (item.call_id, *names)]
    return places
