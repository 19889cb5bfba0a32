"""How much of a log of 30,000 events a search reads, in steps of SQLite's machine: a scan takes some for each event."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from baton_local.qstash.core.flow_control import FlowSpec
from baton_local.qstash.core.message import AttemptResult, Event, EventState, Message
from baton_local.qstash.core.selection import FOR_EVENTS, parse_selection
from baton_local.qstash.core.state import Change, MessageFinished, MessageStored, UserForgotten
from baton_local.qstash.storage.database import Database

MESSAGES, EVENTS = 10_000, 30_000
FAILS_EVERY, JOB, TOPICS = 500, 10, 4
STEPS_AT_ONCE = 100


@dataclass
class Searched:
    events: list[Event]
    steps: int


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with closing(database_in(tmp_path_factory.mktemp("log"))) as database:
        written(database, (life(seq + 1) for seq in range(MESSAGES)))
        yield database


def database_in(folder: Path) -> Database:
    return Database(folder, synced=False, keep_finished_ms=10**15, keep_finished_bytes=10**12)


def life(seq: int, at_ms: int = 0) -> list[Change]:
    at_ms, number = at_ms or seq * 1_000, seq - 1
    message = Message(
        seq,
        f"msg_{seq}",
        "u",
        f"https://example.com/{number % TOPICS}",
        at_ms,
        at_ms,
        topic=f"topic-{number % TOPICS}",
        labels=(f"job-{number // JOB}",),
        flow=FlowSpec(f"key-{number // JOB}", parallelism=1),
    )
    failed = number % FAILS_EVERY == 0
    end = EventState.FAILED if failed else EventState.DELIVERED
    states = [EventState.CREATED, EventState.ACTIVE, end]
    results = [None, None, AttemptResult(500 if failed else 200)]
    events = [Event(message, at_ms, state, result=result) for state, result in zip(states, results, strict=True)]
    return [MessageStored(message, at_ms), *events, MessageFinished(message, at_ms, 0)]


def written(database: Database, lives: Iterable[list[Change]]) -> None:
    for changes in lives:
        database.write(changes, now_ms=0)
    database.commit()


def search(log: Database, *filters: tuple[str, str], count: int = 100) -> Searched:
    selection, found = parse_selection(filters, FOR_EVENTS, max_count=1_000, strict=False), Searched([], 0)

    def step() -> int:
        found.steps += STEPS_AT_ONCE
        return 0

    archive, before = log.archive, selection.cursor
    archive._connection.set_progress_handler(step, STEPS_AT_ONCE)
    try:
        while len(found.events) < count:
            piece = archive.piece("u", selection, before, count - len(found.events))
            found.events += [event for _, event in piece.events]
            before = piece.before
            if before is None:
                break
    finally:
        archive._connection.set_progress_handler(None, 0)
    return found


@pytest.mark.parametrize(
    ("filters", "events"),
    [
        ([("messageId", "msg_7")], 3),
        ([("label", "job-3")], 3 * JOB),
        ([("label", "job-3"), ("state", "DELIVERED")], JOB),
        ([("flowControlKey", "key-3"), ("url", "https://example.com/1")], 3 * 2),
        ([("url", "https://example.com/nowhere")], 0),
        ([("topicName", "topic-3")], 100),
        ([("topicName", "none,topic-none")], 0),
        ([("queueName", "none")], 0),
        ([("scheduleId", "none")], 0),
        ([("state", "FAILED")], MESSAGES // FAILS_EVERY),
        ([("state", "ERROR"), ("state", "CANCELED")], 0),
        ([("responseStatus", "500")], MESSAGES // FAILS_EVERY),
        ([("fromDate", "5000"), ("toDate", "6000")], 6),
        ([("toDate", "2000")], 6),
        ([("fromDate", "2000"), ("toDate", "2000"), ("host", "example.com")], 3),
    ],
    ids=str,
)
def test_a_search_reads_what_it_may_find(log: Database, filters: list[tuple[str, str]], events: int) -> None:
    """A message, a job, a destination, a topic, what failed, and a time, wherever it stands in the log."""
    found = search(log, *filters)
    assert len(found.events) == events
    assert found.steps < EVENTS / 2


def test_a_search_that_no_index_helps_goes_through_all_pieces(log: Database) -> None:
    """Else the steps that are counted above would say nothing."""
    found = search(log, ("host", "nowhere"))
    assert found.steps > 5 * EVENTS
    few = search(log, ("url", "https://example.com/3")).events  # most pass: a part of the newest is enough
    assert [event.message.id for event in few[:4]] == ["msg_10000"] * 3 + ["msg_9996"]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_search_by_time_misses_nothing_where_the_clock_went_back(tmp_path: Path, *, restarts: bool) -> None:
    """Times are then not in order; how far it ever went back is known, after a restart, too."""
    times = [*range(1_000, 50_000, 1_000), *range(20_000, 70_000, 1_000), 5_000, *range(71_000, 90_000, 1_000)]
    database = database_in(tmp_path)
    try:
        for seq, at_ms in enumerate(times, start=1):
            written(database, [life(seq, at_ms)])
            if restarts and seq % 20 == 0:
                database.close()
                database = database_in(tmp_path)
        for from_ms, to_ms in [(5_000, 5_000), (25_000, 30_000), (48_000, 52_000), (69_000, 90_000), (0, 1_500)]:
            found = search(database, ("fromDate", str(from_ms)), ("toDate", str(to_ms)), count=1_000).events
            wanted = [at_ms for at_ms in times if from_ms <= at_ms <= to_ms for _ in range(3)]
            assert [event.time_ms for event in reversed(found)] == wanted
    finally:
        database.close()


def test_what_is_forgotten_leaves_nothing_in_the_index(tmp_path: Path) -> None:
    with closing(Database(tmp_path, synced=False, keep_finished_ms=1, keep_finished_bytes=10**12)) as database:
        written(database, (life(seq) for seq in range(1, 10)))
        database.write([], now_ms=10**9)
        assert database._connection.execute("SELECT count(*) FROM traits").fetchone() == (0,)
        written(database, (life(seq) for seq in range(11, 20)))
        database.write([UserForgotten("u")], now_ms=0)
        assert database._connection.execute("SELECT count(*) FROM traits").fetchone() == (0,)
