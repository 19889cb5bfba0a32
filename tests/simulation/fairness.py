"""Who gets a free slot, what a word changes and who leaves the slot table, by name: decisions/0011-admission.

Jobs that ran before come first, then the tenant with the fewest slots, then priority, then order; of a session the one
that has started, else the first. Written from what the slot table is before and after a word.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from baton.engine.all_jobs.slots import QueueEntry
from baton_events.ids import CHILD_SEPARATOR
from tests.simulation.constants import SWEEP_INTERVAL_MS


@dataclass(frozen=True, slots=True)
class Said:
    """A job's word, or a sweep's look, which was armed for `due_ms`. `now_ms`: by the clock of who speaks."""

    now_ms: int
    job_id: str = ""
    epoch: int = 0
    due_ms: int = 0


class Counts(NamedTuple):
    """What the admission counts of its slot table, and for when a sweep is armed."""

    holders: int
    asking: int
    alarm_ms: int


@dataclass(frozen=True)
class TableEntry:
    """The admission's slot table before and after a word, a sweep's look, or a leaving.

    `slots`: how many are given: none while the admission is stopped.
    `streamed_text`: whose word was taken since the sweep that now lets others leave has looked.
    `said`: what made the difference; `now_ms`: when, by the store's clock; `alarm_ms`: for when a sweep was armed.
    """

    op: str
    before: Mapping[str, QueueEntry]
    after: Mapping[str, QueueEntry]
    slots: int
    counts: Counts
    streamed_text: frozenset[str] = frozenset()
    said: Said | None = None
    now_ms: int = 0
    alarm_ms: int = 0

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


def who_has_had_a_slot_has_run(tabled: TableEntry) -> str | None:
    """Nobody else has: a job's words alone do not make it so, and after its end it begins anew."""
    for name, entry in tabled.after.items():
        old = tabled.before.get(name)
        has_run = entry.slot or (old is not None and old.started and old.want != "gone")
        if entry.want != "gone" and entry.started != has_run:
            return f"{tabled.op} makes {old} of {name} into {entry}"
    return None


def a_word_is_a_sign_of_life(tabled: TableEntry) -> str | None:
    """A word with the last epoch refreshes its entry, as a later one does; an older one does not, nor do others'."""
    said = tabled.said
    for name, entry in tabled.after.items():
        old = tabled.before.get(name)
        seen_ms = old.since_ms if old else 0
        if said and name == said.job_id and (old is None or said.epoch >= old.epoch):
            seen_ms = max(seen_ms, said.now_ms)
        if entry.since_ms != seen_ms:
            return f"{name} was heard of at {seen_ms} for the last time, and {said} makes {old} into {entry}"
    return None


def who_holds_and_who_waits_is_counted(tabled: TableEntry) -> str | None:
    """What operators are shown of the slot table is the number of those in it, whoever comes, waits and leaves."""
    holders = sum(entry.slot for entry in tabled.after.values())
    asking = sum(entry.want == "slot" and not entry.slot for entry in tabled.after.values())
    if tabled.counts[:2] == (holders, asking):
        return None
    return f"{holders} hold slots and {asking} wait after {tabled.op}; counted are {tabled.counts}"


def a_sweep_is_armed_while_a_slot_is_held(tabled: TableEntry) -> str | None:
    """An armed one counts until it has come, or is overdue by an interval, or lies more than two intervals ahead.

    By whichever of the two clocks it counts, it is not armed anew.
    """
    said, armed_ms = tabled.said, tabled.alarm_ms
    if said is None:
        return None
    counts = any(-2 <= (now_ms - armed_ms) / SWEEP_INTERVAL_MS <= 1 for now_ms in (said.now_ms, tabled.now_ms))
    if any(entry.slot for entry in tabled.after.values()) and not (armed_ms > said.due_ms and counts):
        armed_ms = tabled.now_ms + SWEEP_INTERVAL_MS
    if tabled.counts.alarm_ms == armed_ms:
        return None
    return f"{said}: a sweep armed for {tabled.alarm_ms} is armed for {tabled.counts.alarm_ms}, and not for {armed_ms}"


ON_GRANTS = (
    a_session_is_served_in_order,
    a_wake_up_comes_before_a_new_job,
    tenants_are_treated_fairly,
    no_slot_stays_free,
    nobody_is_admitted_while_it_is_stopped,
    who_speaks_stays,
    a_later_update_stays,
    who_has_had_a_slot_has_run,
    a_word_is_a_sign_of_life,
    who_holds_and_who_waits_is_counted,
    a_sweep_is_armed_while_a_slot_is_held,
)
