"""Large results are told in short."""

import pytest

from baton.conversation.conversation import Turn
from baton.conversation.fitting import LEAST_RESULT_BYTES, cut, shorten
from tests.unit.baton.conversation.sample_history import streamed_text


def turn_of(**results: object) -> Turn:
    return Turn(1, (streamed_text(1),), {name: {"ok": value} for name, value in results.items()})


def test_a_turn_that_fits_stays_as_it_is() -> None:
    turn = turn_of(a="x" * 1000)
    assert shorten(turn, turn.size_bytes) is turn


def test_a_result_keeps_its_beginning_and_its_end() -> None:
    turn = shorten(turn_of(a="begin" + "x" * 100_000 + "end"), 2_000)
    text = turn.results["a"]["ok"]
    assert text.startswith("beginxx")
    assert text.endswith("xxend")
    assert "of 100008 bytes are left out here" in text
    assert turn.size_bytes <= 2_000


def test_small_results_stay_whole_beside_a_large_one() -> None:
    """They leave their room to it."""
    turn = shorten(turn_of(small="s" * 300, large="l" * 50_000), 4_000)
    assert turn.results["small"] == {"ok": "s" * 300}
    assert 3_000 < turn.size_bytes <= 4_000


def test_large_results_share_the_room() -> None:
    turn = shorten(turn_of(a="a" * 50_000, b="b" * 90_000), 4_000)
    assert abs(len(turn.results["a"]["ok"]) - len(turn.results["b"]["ok"])) < 10


def test_a_result_that_is_no_text_is_rendered_as_the_beginning_and_end_of_its_json() -> None:
    turn = shorten(turn_of(a={"rows": list(range(10_000))}), 1_000)
    assert turn.results["a"]["ok"].startswith('{"rows":[0,1,2')
    assert turn.results["a"]["ok"].endswith("9999]}")


def test_a_long_error_stays_an_error() -> None:
    turn = Turn(1, (streamed_text(1),), {"a": {"error": {"type": "boom", "message": "m" * 10_000}}})
    error = shorten(turn, 1_000).results["a"]["error"]
    assert error["type"] == "boom"
    assert "are left out here" in error["message"]


def test_every_call_keeps_a_result_however_little_room_there_is() -> None:
    """Less than a little tells nothing, so then it is a little more."""
    turn = shorten(turn_of(a="a" * 5_000, b="b" * 5_000), 0)
    assert all(0 < len(result["ok"]) <= LEAST_RESULT_BYTES for result in turn.results.values())


def test_a_turn_without_results_stays_as_it_is() -> None:
    turn = Turn(1, (streamed_text(1, text="x" * 5_000),), {})
    assert shorten(turn, 100) is turn


@pytest.mark.parametrize("limit_bytes", [0, 50, 97, 150, 1_000])
def test_a_cut_never_splits_a_character(limit_bytes: int) -> None:
    assert "\ufffd" not in cut("é😀" * 1_000, limit_bytes)
    assert cut("short", 5) == "short"
