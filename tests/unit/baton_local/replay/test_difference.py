from baton_local.replay.replaying import Difference


def test_short_sides_are_in_a_line_each() -> None:
    shown = str(Difference("turn 1", "a", {"b": 1}))
    assert shown == 'The first difference: turn 1\n  recorded: a\n  now:      {"b": 1}'


def test_long_texts_are_compared_by_line() -> None:
    lines = [f"line {n}" for n in range(50)]
    shown = str(Difference("turn 1", "\n".join(lines), "\n".join([*lines[:30], "new", *lines[31:]])))
    assert "  -line 30\n  +new" in shown
    assert "line 5\n" not in shown


def test_what_is_all_different_is_cut() -> None:
    shown = str(Difference("turn 1", "\n".join(["x" * 1000] * 500), "\n".join(["y"] * 500))).splitlines()
    assert len(shown) < 70
    assert max(map(len, shown)) < 500
    assert shown[-1].endswith("more lines")
