"""Which jobs a sweep looks at, page by page. Pure; adapters/sweep_reading.py reads the same of the store.

An armed sweep looks at who holds a slot, and at who is gone for so long that they may leave; the hourly one at all.
A page ends with a mark: what kind is gone through, and who came last. Jobs are in the order of their names, those gone
in the order in which they said so: a page that comes again finds the same jobs, whatever came or went meanwhile.
"""

from collections.abc import Callable, Mapping

from baton.core.admission import TOMBSTONE_MS, Entry
from baton_events.ids import root_of

# One request looks at so many jobs; their entries are 300 kB.
PAGE = 900
HOLDERS, GONE, ALL = "h", "g", "a"


def page_mark(due_ms: int, after: str, *, again: bool) -> str:
    """Where a page begins; `after`: where the one before ended, empty for the first one.

    One that comes again may carry what belongs to a job that has lost its slot since, so it goes through all.
    """
    kind, _, last = (after or f"{HOLDERS if due_ms else ALL}:").partition(":")
    return f"{ALL if again and kind == HOLDERS else kind}:{last}"


def page_of(entries: Mapping[str, Entry], mark: str, now_ms: int, size: int) -> tuple[dict[str, Entry], str]:
    """The page that begins there, with all of its jobs' trees, and the mark at its end (empty: it is the last one)."""
    kind, _, last = mark.partition(":")
    names, end = list[str](), ""
    if kind != GONE:
        able = sorted(name for name, entry in entries.items() if (kind == ALL or entry.slot) and name > last)
        names, end = some(able, size, kind, str)
    if kind != ALL and len(names) < size:
        since = int(last) if kind == GONE else -1
        old = {name: e.since_ms for name, e in entries.items() if e.want == "gone"}
        gone = sorted((at, name) for name, at in old.items() if since < at < now_ms - TOMBSTONE_MS)
        more, end = some([name for _, name in gone], size - len(names), GONE, lambda name: str(old[name]))
        names += more
    roots = {root_of(name) for name in names}
    return {name: entry for name, entry in entries.items() if root_of(name) in roots}, end


def some(able: list[str], size: int, kind: str, mark: Callable[[str], str]) -> tuple[list[str], str]:
    """As many as a page has room for, and the mark behind them, if it is full then."""
    names = able[:size]
    return names, f"{kind}:{mark(names[-1])}" if len(names) == size else ""
