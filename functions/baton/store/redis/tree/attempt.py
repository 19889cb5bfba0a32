"""Steps of one tree, computed from its snapshot, as one patch."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from baton.engine.commit.draft import Draft
from baton.engine.commit.layout import budget_scopes_of, field_of, fields_of, turns_of
from baton.engine.commit.patch import STAMP, Command, Patch, appended, chained, compared, known_end
from baton.engine.commit.tree import Tree
from baton.engine.commit.usage_ledger import USED_APART, apart_in, ledger_text, less, usage_in
from baton.engine.state import NOTHING_USED, Usage
from baton.store.redis import keys
from baton.store.redis.texts import TreeTexts, kept_form
from baton.store.redis.totals import Counts
from baton.store.redis.tree.billing import Bill
from baton.store.redis.tree.snapshot import Place, Transcript, TreeSnapshot, of_calls, result_field, results_of_calls
from baton.store.redis.tree.usual import UsualStep
from baton.store.redis.tree.writes import Kept, Writes, siblings
from baton.store.transport.meter import Meter, current
from baton_events.errors import JobGoneError, UnreadablePayloadError
from baton_events.sealing import Sealing

_TURN = '"kind":"loop"'
_NO_HISTORY = Transcript()


class Transition(Struct, kw_only=True):
    """A step of a tree.

    `job_id`: the job whose usage ledger it is about. `make`: changes a draft of the tree, and returns the answer.
    `messages`: those whose pending items it reads. `jobs`: those of the tree's jobs that it reads. `item_key`: the work
    item that it begins or ends; empty: it is about more, or less. `places`: the results that it reads; with True where
    their existence must be known. `calls`: the calls that it reads, which must be known. `guesses`: it may be made of
    an empty tree, as if nothing were there. `turns`: it may begin a turn, which reads reservations of the tree's other
    turns, and usage of the jobs above. `ends`: work items of others are gone after it. `counts`: what its request adds
    to sums besides. `size_chars`: about how much it writes. `meter`: of the invocation that makes it. `usual`: makes it
    of a tree as a usual step, if it is one; the second argument draws the name of its request.
    """

    job_id: str
    make: Callable[[Draft], Any]
    messages: tuple[str, ...] = ()
    jobs: Callable[[Tree], Iterable[str]]
    item_key: str = ""
    places: Callable[[Tree], Iterable[tuple[Place, bool]]] = lambda _: ()
    calls: Callable[[Tree], Iterable[Place]] = lambda _: ()
    guesses: bool = False
    turns: bool = False
    ends: bool = False
    counts: Counts = {}
    size_chars: Callable[[], int] = lambda: 0
    meter: Meter | None = field(default_factory=current)
    usual: Callable[[TreeSnapshot, Callable[[], str]], UsualStep | None] | None = None


class Attempt:
    """The result of the transitions, and the conditions for its write. `results`: those that they read.

    `apart`: where it is a step of one of several calls, writes of the others at the same time do not conflict.
    """

    def __init__(
        self,
        root_id: str,
        snapshot: TreeSnapshot,
        transitions: Sequence[Transition],
        results: Mapping[Place, str | None],
        stamp: str,
        sealing: Sealing,
        *,
        apart: bool = False,
    ) -> None:
        self._root_id, self._snapshot, self._transitions, self.name = root_id, snapshot, transitions, stamp
        self.answers: list[Any] = []
        self.bill = Bill(stamp)
        self._results, self._sealing = results, sealing
        draft = self.draft = self._made(transitions)
        self._apart: dict[str, tuple[str, Usage | None]] = {}
        self.texts = TreeTexts(sealing, root_id, draft.jobs.values())
        self._writes = Writes(root_id, snapshot.tree, draft, snapshot.state, self.texts)
        self._siblings = (
            siblings(snapshot.tree, draft, [each.item_key for each in transitions], self._writes) if apart else None
        )
        self.is_apart = self._siblings is not None  # others may write at the same time
        if self.is_apart:
            self._write_apart(stamp)
        elif snapshot.apart:
            written = self._writes.state
            self._writes.gone += [name for name in snapshot.apart if f"usage:{name.split(':')[1]}" in written]
        self.is_nothing = not self._writes.stamp(compared(stamp))

    def _made(self, transitions: Sequence[Transition]) -> Draft:
        """Return a draft in which all of them are made; note the answers, and who pays."""
        draft = Draft.of(self._snapshot.tree)
        for transition in transitions:
            job_id = transition.job_id
            was, count = draft.usage.get(job_id, NOTHING_USED), len(draft.parts.get(job_id, ()))
            try:
                self.answers.append(transition.make(draft))
            except (JobGoneError, UnreadablePayloadError) as error:  # raised before anything is changed
                self.answers.append(error)
            if self._sealing.first:
                texts = TreeTexts(self._sealing, job_id, draft.jobs.values())
                draft.parts = texts.with_events_sealed(draft.parts)
            now = draft.usage.get(job_id, NOTHING_USED)
            self.bill.add(job_id, transition.meter, was, now, draft.parts.get(job_id, ())[count:])
        for job_id in {**draft.transcript, **draft.new_results}:  # no two histories have the same usage
            used, more = draft.usage.get(job_id), len(draft.transcript.get(job_id, ()))
            if used is not None:
                chain = "" if job_id in draft.new_results and self._replaces(draft, job_id) else used.stamp
                draft.put_usage(job_id, replace(used, stamp=chained(chain, self.name), entries=used.entries + more))
        draft.fields |= self.bill.places
        return draft

    def _replaces(self, draft: Draft, job_id: str) -> bool:
        """Return whether a history that somebody knows may have a result that is forgotten here, or another one."""
        known, there = self._snapshot.transcripts.get(job_id, _NO_HISTORY), self._snapshot.tree.results.get(job_id, {})
        new = draft.new_results[job_id]
        return None in new.values() or not (new.keys().isdisjoint(there) and new.keys().isdisjoint(known.results))

    def _write_apart(self, stamp: str) -> None:
        state, before = self._writes.state, self._snapshot.tree.usage
        for job_id, used in self.draft.usage.items():
            if state.pop(f"usage:{job_id}", None) is not None:
                apart, was = f"{USED_APART}{job_id}:{stamp}", before.get(job_id, NOTHING_USED)
                state[apart] = ledger_text(job_id, apart, less(used, was))
                self._apart[job_id] = (apart, was)

    def fill(self, patch: Patch, kept: Kept) -> None:
        """Add the conditions and the writes to the patch."""
        self._compare_state(patch)
        by_key: dict[str, dict[str, str | None]] = {}
        for place, text in self._results.items():
            result_key, field = result_field(place)
            by_key.setdefault(result_key, {})[field] = kept_form(text)
        for result_key, texts in by_key.items():
            patch.equal(result_key, texts)
        self._writes.add_to(patch, kept)

    def _compare_state(self, patch: Patch) -> None:
        """Require the state as it is known: all of it by its stamp, or as much as the transitions read."""
        state, key = self._snapshot.state, keys.state_key(self._root_id)
        names: set[str] = set()
        for transition in self._transitions:
            names.update(transition.jobs(self._snapshot.tree))
        if not self.is_apart and not state:
            patch.missing(key, keys.tombstone_key(self._root_id))
        elif not self.is_apart and names >= self._snapshot.tree.jobs.keys():
            patch.ends(key, STAMP, known_end(state.get(STAMP, "")))
        else:
            known = self._compared_apart(patch, key) if self.is_apart else self._compared_of(names, patch, key)
            known |= self._guaranteed(patch, key)
            # Others may write meanwhile: the script numbers parts.
            summed = list(map(keys.part_count, self._writes.part_counts))
            if not self.is_nothing:
                self._writes.state[STAMP] = appended(self.name)
                summed.append(STAMP)
            patch.equal(key, {name: text for name, text in known.items() if name not in summed}, summed)

    def _compared_of(self, job_ids: set[str], patch: Patch, key: str) -> dict[str, str | None]:
        """Return the fields of these jobs, and where a turn of theirs may begin, the limits that it shares."""
        state, tree, names = self._snapshot.state, self._snapshot.tree, list[str]()
        for job_id in sorted(job_ids):
            names += [*fields_of(job_id, tree), *usage_in(job_id, state)]
            text = f'"job_id":"{job_id}"'  # of work items and usage apart; what a user wrote may have it, too
            patch.count(key, text, sum(text in each for each in state.values()))
        if any(transition.turns for transition in self._transitions):
            names += [*turns_of(tree), *budget_scopes_of(job_ids, tree)]
            patch.count(key, _TURN, sum(_TURN in text for text in state.values()))
        return {name: state.get(name) for name in names}

    def _guaranteed(self, patch: Patch, key: str) -> dict[str, str | None]:
        """Return the written fields, and the known ones of these messages' items; the patch checks for no others."""
        state = self._snapshot.state
        messages = {message for transition in self._transitions for message in transition.messages}
        for message_id in sorted(messages):
            text = f'"relay_id":"{message_id}"'
            patch.count(key, text, sum(text in each for each in state.values()))
        guaranteed = [
            field_of(item, self._snapshot.tree)
            for item in self._snapshot.tree.items.values()
            if item.relay_id in messages
        ]
        return {name: state.get(name) for name in (*self._writes.state, *self._writes.gone, *guaranteed)}

    def _compared_apart(self, patch: Patch, key: str) -> dict[str, str | None]:
        """Return the fields of their job and its slot state; the patch checks that one of the others is still there."""
        tree = self._snapshot.tree
        items = [tree.items[each.item_key] for each in self._transitions]
        names = [field for item in items for field in (f"job:{item.job_id}", f"slot_state:{item.job_id}")]
        names += [field_of(item, tree) for item in items]
        if self._siblings:
            patch.any(key, self._siblings)
        return {name: self._snapshot.state.get(name) for name in names}

    def settle(self, patch: Patch, beside: Sequence[Command]) -> None:
        """Finish the patch: add the bill."""
        usage = self.draft.usage
        self.draft.usage = {**usage, **self.bill.settle(patch, beside, usage, self._apart, self._writes.state)}

    def transcripts(self) -> dict[str, Transcript]:
        """Return the transcripts that are known after the write, by job."""
        known, draft = dict(self._snapshot.transcripts), self.draft
        for job_id in {**draft.transcript, **draft.new_results}:
            before = known.pop(job_id, None if job_id in self._snapshot.tree.jobs else Transcript())
            new = draft.new_results.get(job_id, {})
            keeps = not self.is_apart and None not in new.values()  # else results are forgotten
            if before is not None and keeps and not (job_id in draft.jobs and draft.jobs[job_id].stretch):
                known[job_id] = before.more(draft.transcript.get(job_id, ()), results_of_calls(new), self.name)
        return known

    def after(self, transcripts: Mapping[str, Transcript]) -> TreeSnapshot | None:
        """Return the tree after the write; None where nothing of it is open any more."""
        if self.is_nothing:
            return replace(self._snapshot, transcripts=transcripts, is_fresh=False)
        draft, writes = self.draft, self._writes
        if not draft.items or not draft.jobs:
            return None
        state = {**self._snapshot.state, **writes.state}
        # If no other has written meanwhile; else the next comparison is refused.
        state[STAMP] = f"{known_end(self._snapshot.state.get(STAMP, ''))}{writes.state[STAMP]}"
        for name in writes.gone:
            state.pop(name, None)
        waiting = {item.call_id for item in draft.items.values()}
        draft.calls, draft.results = of_calls(waiting, draft.calls), of_calls(waiting, draft.results)
        draft.transcript, draft.parts, draft.expires_ms = {}, {}, 0
        apart = apart_in(state) if self.is_apart or self._snapshot.apart else ()
        return TreeSnapshot(state, draft.as_it_is(), transcripts, apart=apart, is_contended=self.is_apart)
