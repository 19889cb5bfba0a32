import pytest

from tests.docs.shown import json_matches, text_matches


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        ("a\nb\n", "a\nb", True),
        ("a … c", "a b\nb c", True),
        ("…end", "the end\n", True),
        ("end", "the end", False),
        ("a.c", "abc", False),
        ("", "something", False),
    ],
)
def test_a_text_fits_as_a_whole(shown: str, printed: str, fits: bool) -> None:
    """`…` is anything; nothing else is."""
    assert text_matches(shown, printed) is fits


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        ('{"a": 1}', '{"a": 1, "b": 2}', True),
        ('{"a": "…"}', '{"a": [1]}', True),
        ('{"a": "job_…"}', '{"a": "job_1"}', True),
        ('{"a": 1}', '{"a": 2}', False),
        ('{"a": 1}', "{}", False),
        ('[{"a": 1}]', '[{"a": 1}, {}]', False),
        ('{"a": 1}', "no JSON", False),
    ],
)
def test_json_fits_by_the_fields_that_are_shown(shown: str, printed: str, fits: bool) -> None:
    assert json_matches(shown, printed) is fits
