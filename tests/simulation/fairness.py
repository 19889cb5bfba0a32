"""Who gets a free slot and who leaves the slot table, by name, like invariants.py: decisions/0011-admission.

Jobs that ran before come first, then the tenant with the fewest slots, then priority, then order; of a session the one
that has started, else the first. Written from what the slot table is after a word: who was given a slot, and who was
not.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from baton.engine.all_jobs.slots import QueueEntry
from baton_events.ids import CHILD_SEPARATOR


@dataclass(frozen=True)
class TableEntry:
    """The admission's slot table before and after a word, a sweep's look, or a leaving.

    `slots`: how many are given: none while the admission is stopped.
    `streamed_text`: whose word was taken since the sweep that now lets others leave has looked.
    """

    op: str
    before: Mapping[str, QueueEntry]
    after: Mapping[str, QueueEntry]
    slots: int
    streamed_text: frozenset[str]

    @cached_property
    def given(self) -> Sequence[tuple[str, QueueEntry, bool]]:
        """Who was given a slot by this word, and whether they had run before."""
        got = [(name, entry, self.before.get(name)) for name, entry in self.after.items() if entry.slot]
        # One that had ended, and is retried, is a new one.
        return [
            (name, entry, bool(old and old.started and old.want != "gone"))
            for name, entry, old in got
            if not (old and old.slot)
        ]

    @cached_property
    def able(self) -> Sequence[tuple[str, QueueEntry]]:
        """Who could have been given one instead: the first of each session of which nobody holds one."""
        return list(self._able())

    def _able(self) -> Iterator[tuple[str, QueueEntry]]:
        busy = {_line(name, entry) for name, entry in self.after.items() if entry.slot}
        waiting = [(name, e) for name, e in self.after.items() if _lives(e) and _line(name, e) not in busy]
        waiting.sort(key=lambda item: (not item[1].started, item[1].created_ms, item[0]))
        for name, entry in waiting:
            if _line(name, entry) not in busy and entry.want == "slot":
                yield name, entry
            busy.add(_line(name, entry))


def _line(name: str, entry: QueueEntry) -> tuple[str, str]:
    """Whose turn it is; a child needs no session."""
    return ("", name) if CHILD_SEPARATOR in name else (entry.tenant, entry.session_id)


def _lives(entry: QueueEntry) -> bool:
    return entry.want == "slot" or (entry.want == "none" and entry.started)


def a_session_is_served_in_order(tabled: TableEntry) -> str | None:
    """Of a session's jobs the one that has started goes on; then first come, first served."""
    for name, entry, ran in tabled.given:
        for other, ahead in tabled.after.items():
            if other == name or _line(other, ahead) != _line(name, entry) or not _lives(ahead):
                continue
            if (not ahead.started, ahead.created_ms, other) < (not ran, entry.created_ms, name):
                return f"{name} is given a slot by {tabled.op} before {other} of its session: {entry}, {ahead}"
    return None


def a_wake_up_comes_before_a_new_job(tabled: TableEntry) -> str | None:
    new = [name for name, _, ran in tabled.given if not ran]
    woken = [name for name, entry in tabled.able if entry.started] if new else []
    return f"{new} are given slots while {woken}, which ran before, wait" if new and woken else None


def tenants_are_treated_fairly(tabled: TableEntry) -> str | None:
    """Among new jobs the tenant with the fewest slots is next, then priority decides, then order."""
    given = [(name, entry) for name, entry, ran in tabled.given if not ran]
    if len(given) != 1:
        return None  # in which order several were given is not to be seen
    name, entry = given[0]
    held = Counter(other.tenant for other in tabled.after.values() if other.slot)
    held[entry.tenant] -= 1
    for other, left in tabled.able:
        mine = (held[entry.tenant], -entry.priority, entry.created_ms, name)
        theirs = (held[left.tenant], -left.priority, left.created_ms, other)
        if not left.started and theirs < mine:
            return f"{name} is given a slot before {other}: {mine}, {theirs} (slots of the tenant, priority, order)"
    return None


def no_slot_stays_free(tabled: TableEntry) -> str | None:
    """After a word, and after a sweep has looked, no slot is free that somebody could use."""
    held = [name for name, entry in tabled.after.items() if entry.slot]
    if tabled.op == "leave" or len(held) >= tabled.slots or not tabled.able:
        return None
    able = [name for name, _ in tabled.able]
    return f"{held} hold {len(held)} of {tabled.slots} slots after {tabled.op}, and {able} wait"


def nobody_is_admitted_while_it_is_stopped(tabled: TableEntry) -> str | None:
    given = [name for name, _, _ in tabled.given]
    return (
        f"{given} are given slots by {tabled.op}, and the admission is stopped" if given and not tabled.slots else None
    )


def who_speaks_stays(tabled: TableEntry) -> str | None:
    """Whoever has said something since a sweep looked lives, so this sweep does not take them off the slot table."""
    gone = [name for name in tabled.before if name not in tabled.after and name in tabled.streamed_text]
    return f"{gone} are off the slot table, and spoke after the sweep had looked" if gone else None


def a_later_update_stays(tabled: TableEntry) -> str | None:
    """A job's word with a lower request epoch than the one that is known changes nothing."""
    for name, entry in tabled.after.items():
        old = tabled.before.get(name)
        if (
            old is not None
            and old is not entry
            and (entry.epoch < old.epoch or (entry.epoch == old.epoch and entry.want != old.want))
        ):
            return f"{tabled.op} makes {old} of {name} into {entry}"
    return None


ON_GRANTS = (
    a_session_is_served_in_order,
    a_wake_up_comes_before_a_new_job,
    tenants_are_treated_fairly,
    no_slot_stays_free,
    nobody_is_admitted_while_it_is_stopped,
    who_speaks_stays,
    a_later_update_stays,
)
