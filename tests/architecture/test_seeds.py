"""docs/seeds.md and the tests that it names: each row has its test, and no test of a row is left out."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "seeds.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`(test_\w+)`", PAGE))


def _tests(*folders: str) -> set[str]:
    texts = (path.read_text(encoding="utf-8") for folder in folders for path in (ROOT / folder).rglob("test_*.py"))
    return {name for text in texts for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)}


def test_each_row_names_a_test_that_there_is() -> None:
    assert sorted(NAMED - _tests("tests/unit")) == []


def test_each_test_of_a_row_is_named_in_the_page() -> None:
    rows = {name for name in _tests("tests/unit/baton/whole/seeds") if name.startswith("test_seed_00")}
    assert len(rows) > 30
    assert sorted(rows - NAMED) == []


def test_each_row_of_a_table_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| (?!---|the document )", line)]
    assert len(rows) > 40
    whole_files = {path for row in rows for path in re.findall(r"`(tests/[\w/]+\.py)`", row)}
    assert sorted(path for path in whole_files if not (ROOT / path).exists()) == []
    assert [row for row in rows if not re.search(r"`test_\w+`|`tests/[\w/]+\.py`", row)] == []
