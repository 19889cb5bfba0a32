from baton_local.dev.part_log import ShownLines


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
