from contextlib import closing
from pathlib import Path

from baton_local.qstash.core.message import AttemptResult, Event, EventState, Message
from baton_local.qstash.core.selection import Selection
from baton_local.qstash.core.state import MessageFinished, MessageStored
from baton_local.qstash.storage.database import Database

HOUR_MS = 3_600_000


def finished(seq: int, at_ms: int, body: bytes = b"") -> list[MessageStored | Event | MessageFinished]:
    message = Message(seq, f"msg_{seq}", "u", "https://h", at_ms, at_ms, body=body)
    event = Event(message, at_ms, EventState.DELIVERED, result=AttemptResult(200))
    return [MessageStored(message, at_ms), event, MessageFinished(message, at_ms, 0)]


def bounded(folder: Path) -> Database:
    return Database(folder, synced=False, keep_finished_ms=HOUR_MS, keep_finished_bytes=1_000_000)


def test_room_is_bounded_by_forgetting_the_oldest(tmp_path: Path) -> None:
    """Beyond the size bound the oldest go first, even before their time; the bound also holds over several runs."""
    for run in range(3):
        with closing(bounded(tmp_path)) as database:
            for seq in range(run * 20 + 1, run * 20 + 21):
                database.write(finished(seq, at_ms=seq, body=b"x" * 100_000), now_ms=seq * 2_000)
                database.commit()
    with closing(bounded(tmp_path)) as database:
        kept = [seq for seq in range(1, 61) if database.archive.message("u", f"msg_{seq}")]
        assert kept == list(range(kept[0], 61))
        assert 8 <= len(kept) <= 11
        events, _ = database.archive.piece("u", Selection(), None, 100)
        assert len(events) == len(kept)
