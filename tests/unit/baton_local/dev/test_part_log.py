import os
from pathlib import Path

from baton_local.dev.part_log import PartLog


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


def test_a_long_file_is_set_extra_usage_before_the_part_starts(tmp_path: Path) -> None:
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
