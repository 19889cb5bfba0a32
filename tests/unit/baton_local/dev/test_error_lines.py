"""What of a log is shown."""

from baton_local.dev.part_log import ErrorLines


def test_errors_are_shown_and_chatter_is_not() -> None:
    """Levels decide."""
    lines = ["INFO: started", "ERROR: no room", "2025-01-01 CRITICAL x", "terrors of the deep", "WARNING: hm"]
    assert ErrorLines().pick(lines) == ["ERROR: no room", "2025-01-01 CRITICAL x"]


def test_a_traceback_is_shown_to_its_last_line_and_no_further() -> None:
    """Also when it arrives in two bits."""
    errors = ErrorLines()
    assert errors.pick(["Traceback (most recent call last):", '  File "x.py", line 1']) == [
        "Traceback (most recent call last):",
        '  File "x.py", line 1',
    ]
    assert errors.pick(["    boom()", "ValueError: 3", "INFO: on it goes"]) == ["    boom()", "ValueError: 3"]
