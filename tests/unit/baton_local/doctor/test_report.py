import json

from baton_local.doctor.finding import document, failed, lines_of, note, ok, screen, skipped, warning

LONG = failed("endpoints", " ".join(["word"] * 60), " ".join(["way"] * 60))


def test_a_screen_has_a_line_a_check_and_below_it_the_way_out() -> None:
    lines = screen([ok("store", "answers"), warning("keys", "swapped", "set both")], "the environment").splitlines()
    assert lines == [
        "Settings of the environment",
        "",
        "store      ok      answers",
        "keys       warning swapped",
        "                   → set both",
        "",
        "0 failed, 1 to look at.",
    ]


def test_what_is_well_or_only_worth_a_note_is_well() -> None:
    assert screen([ok("store", "a"), note("store", "b", "c"), skipped("queue", "d")], "x").endswith("\nAll is well.")


def test_what_failed_is_seen_and_fits() -> None:
    for width in (80, 116):
        text = lines_of(LONG, width)
        assert text.startswith("endpoints  FAILED  word word")
        assert width - 10 < max(map(len, text.splitlines())) <= width
        assert text.count("→") == 1


def test_a_document_reports_the_same_to_programs() -> None:
    """`ok` is false if anything failed."""
    found = json.loads(document([ok("store", "answers"), LONG], "the environment"))
    assert (found["ok"], found["origin"]) == (False, "the environment")
    assert found["findings"][0] == {"check": "store", "level": "ok", "text": "answers", "wayOut": None}
    assert found["findings"][1]["level"] == "failed"
    assert json.loads(document([note("store", "b", "c")], "x"))["ok"] is True
