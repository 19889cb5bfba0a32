import io
import logging
import os
from pathlib import Path

from baton.observability.logs import name_job_in_logs
from baton_local.dev.app_server import OwnOutput, OwnRecords
from baton_local.dev.part_log import PartLog, ShownLines


def write(log: PartLog, text: str) -> None:
    with log.opened_for_part() as output:
        os.write(output, text.encode())


def test_a_restart_goes_on_in_the_same_file_and_reads_only_what_is_new(tmp_path: Path) -> None:
    log = PartLog(tmp_path / "app.log")
    write(log, "old\n")
    with log.opened_for_part() as output:
        os.write(output, b"new\nhal")
        assert log.new_lines() == ["new"]
        os.write(output, b"f\n")
        assert log.new_lines() == ["half"]
    assert (tmp_path / "app.log").read_text() == "old\nnew\nhalf\n"


def test_a_long_file_is_set_aside_before_the_part_starts(tmp_path: Path) -> None:
    log = PartLog(tmp_path / "app.log", limit_bytes=10)
    for text in ("first life, long\n", "second life, long\n", "third\n"):
        write(log, text)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app.log", "app.log.1"]
    assert (tmp_path / "app.log.1").read_text() == "second life, long\n"
    assert (tmp_path / "app.log").read_text() == "third\n"


def test_the_last_lines_are_those_that_say_something(tmp_path: Path) -> None:
    log = PartLog(tmp_path / "app.log")
    assert log.last_lines(2) == []
    write(log, "one\ntwo\n\n  \nthree\n\n")
    assert log.last_lines(2) == ["two", "three"]
    write(log, "four\n")
    assert log.last_lines(2) == ["four"], "of an earlier start it says nothing"


def test_errors_are_shown_and_chatter_is_not() -> None:
    lines = ["INFO: started", "ERROR: no room", "2025-01-01 CRITICAL x", "terrors of the deep", "WARNING: hm"]
    assert ShownLines().pick(lines) == ["ERROR: no room", "2025-01-01 CRITICAL x"]


def test_a_traceback_is_shown_to_its_last_line_and_no_further() -> None:
    errors = ShownLines()
    assert errors.pick(["Traceback (most recent call last):", '  File "x.py", line 1']) == [
        "Traceback (most recent call last):",
        '  File "x.py", line 1',
    ]
    assert errors.pick(["    boom()", "ValueError: 3", "INFO: on it goes"]) == ["    boom()", "ValueError: 3"]


def test_what_a_persons_code_says_is_shown_with_its_job() -> None:
    ids = "[messageId=msg_1 eventId=evt_1 eventType=agent.loop.init jobId=job_1 sessionId=s]"
    lines = ["> job_1 weighing", f"09:00 WARNING baton.claims: call:1 is broken off {ids}", "WARNING baton.edge: hm"]
    assert ShownLines().pick(lines) == ["job_1 weighing", "09:00 WARNING baton.claims: call:1 is broken off [job_1]"]


async def test_each_line_that_is_printed_has_the_job_in_front() -> None:
    written = io.StringIO()
    output = OwnOutput(written)
    print("loaded", file=output)
    name_job_in_logs("job_1")
    print("a", end="", file=output)
    print("b\nc", file=output)
    assert written.getvalue() == "> loaded\n> job_1 ab\n> job_1 c\n"


def test_records_of_a_folder_are_marked_and_those_of_its_libraries_are_not() -> None:
    formatter = OwnRecords(Path("/app"), "%(message)s")

    def shown(path: str) -> str:
        return formatter.format(logging.LogRecord("x", logging.INFO, path, 1, "a\nb", (), None))

    assert shown("/app/tools.py") == "> a\n> b"
    assert shown("/app/.venv/lib/site-packages/httpx/client.py") == shown("/lib/x.py") == "a\nb"
