"""The jobs of a sweep's page on Redis, as core/sweep_pages.py has them."""

from baton.adapters import keys
from baton.adapters.redis_commands import Command
from baton.adapters.semaphore import Semaphore, entry_from, member_field
from baton.core.admission import TOMBSTONE_MS, Entry
from baton.core.sweep_pages import ALL, GONE, HOLDERS, some
from baton_events.ids import root_of


async def page_from(semaphore: Semaphore, mark: str, now_ms: int, size: int) -> tuple[dict[str, Entry], str]:
    """The page that begins there, with all of its jobs' trees, and the mark at its end: two requests, seldom three."""
    kind, _, last = mark.partition(":")
    index = keys.SLOT_HOLDERS if kind == HOLDERS else keys.SLOT_NAMES
    since = int(last) + 1 if kind == GONE else 0
    found, out = await semaphore.redis.pipeline(
        ["ZRANGE", index, f"({last}" if last else "-", "+", "BYLEX", "LIMIT", 0, 0 if kind == GONE else size],
        [
            *("ZRANGE", keys.SLOT_OUT, f"[{since:015d}", f"({now_ms - TOMBSTONE_MS:015d}", "BYLEX"),
            *("LIMIT", 0, 0 if kind == ALL else size),
        ],
    )
    names, end = some(found, size, kind, str)
    if len(names) < size and kind != ALL:
        times = {name: at for at, _, name in (member.partition("\0") for member in out)}
        gone, end = some(list(times), size - len(names), GONE, lambda name: str(int(times[name])))
        names += gone
    if not names:
        return {}, end
    *trees, texts = await semaphore.redis.pipeline(
        *_trees(names, whole=kind == ALL), ["HMGET", keys.SLOTS, *map(member_field, names)]
    )
    entries = {name: entry_from(text) for name, text in zip(names, texts, strict=True) if text}
    others = {name for tree in trees for name in tree}.difference(names)
    return {**entries, **await semaphore.entries_of(sorted(others))}, end


def _trees(names: list[str], *, whole: bool) -> list[Command]:
    """What finds all jobs of their trees; `whole`: nobody is left out between them."""
    roots = list(dict.fromkeys(map(root_of, names)))
    ranges = [(roots[0], roots[-1])] if whole else [(root, root) for root in roots]
    return [["ZRANGE", keys.SLOT_NAMES, f"[{first}", f"({last}/", "BYLEX"] for first, last in ranges]
