"""A look at one tree: what lua/look.lua is asked, and what it answers."""

from typing import Any

from events.adapters import keys
from events.adapters.store_answers import legs
from events.core.admission import Book
from events.core.records import load_job
from events.ids import canonical_json, root_of
from events.ports import Looked


def looking(
    root_id: str, message_id: str, now_ms: int, lost_after_ms: int, book: Book, only: str = ""
) -> tuple[list[str], list[str | int]]:
    """The script's keys and arguments."""
    entries = {
        name: {"lap": entry.lap, "want": entry.want, "slot": entry.slot}
        for name, entry in book.items()
        if root_of(name) == root_id
    }
    return [keys.state_key(root_id)], [root_id, message_id, now_ms, lost_after_ms, canonical_json(entries), only]


def looked_of(answer: Any) -> Looked:
    """What it found."""
    job, lost, ended, forgotten = answer
    if not job:
        return Looked(known=False)
    session_id = load_job(job).session_id
    return Looked(known=True, lost=legs(lost), session_id=session_id, ended=tuple(ended), forgotten=tuple(forgotten))
