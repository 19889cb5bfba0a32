"""What the demo model reads out of its messages."""

from typing import Any

import pytest

from baton.models.demo.notes import read_notes
from baton.models.model import ModelMessage, PastCall, ToolMessage, UserMessage


def result(
    tool: str, content: Any, *, requested: str = "x", is_error: bool = False
) -> tuple[ModelMessage, ToolMessage]:
    """A call and what it gave."""
    return ModelMessage("", (PastCall("c1", tool, {"query": requested}),)), ToolMessage("c1", tool, content, is_error)


def test_only_what_came_after_the_last_task_counts() -> None:
    """An earlier job of the same session must not end this one before it began."""
    notes = read_notes([UserMessage("old"), *result("list_files", ["a.md"]), UserMessage("new")])
    assert (notes.question, notes.used, notes.files) == ("new", set(), [])


@pytest.mark.parametrize("content", [["a.md", "b.md"], {"files": [{"path": "a.md"}, {"name": "b.md"}]}, "a.md\nb.md"])
def test_listings_are_read_in_several_forms(content: Any) -> None:
    """A tool of the user's own may answer a little differently."""
    assert read_notes(result("list_files", content)).files == ["a.md", "b.md"]


def test_hits_are_counted_where_the_search_gives_no_counts() -> None:
    """Rows with a path are enough."""
    rows = [{"path": "a.md", "text": "one"}, {"path": "a.md", "text": "two"}, {"path": "b.md"}]
    notes = read_notes(result("search_files", rows, requested="oil"))
    assert notes.hits == {"oil": {"a.md": 2, "b.md": 1}}
    assert notes.lines == {"a.md": ["one", "two"]}


def test_counts_given_by_the_search_are_taken() -> None:
    """They also count hits that were not shown."""
    content = {"hits": [{"path": "a.md", "text": "one"}], "files": {"a.md": 7, "b.md": 0}}
    assert read_notes(result("search_files", content, requested="oil")).hits == {"oil": {"a.md": 7}}


@pytest.mark.parametrize("content", ["text", {"text": "text"}, {"content": "text"}])
def test_texts_are_kept_under_the_path_requested(content: Any) -> None:
    """The path comes from the call, since a result need not repeat it."""
    assert read_notes(result("read_file", content, requested="a.md")).texts == {"a.md": "text"}


def test_failed_calls_are_reported_in_one_short_line() -> None:
    """And count as used, so that the model goes on instead of asking for ever."""
    content = {"type": "ToolError", "message": "gone\n" + "x" * 500}
    notes = read_notes(result("read_file", content, is_error=True))
    assert notes.used == {"read_file"}
    assert len(notes.errors) == 1
    assert notes.errors[0].startswith("read_file: gone xxx")
    assert len(notes.errors[0]) < 200


@pytest.mark.parametrize("tool", ["list_files", "search_files", "read_file", "count_words", "write_report", "other"])
@pytest.mark.parametrize(
    "content", [None, 3, 1.5, True, "", [], {}, [None], [[1]], {"files": 3}, {"hits": "x"}, {"files": None}]
)
def test_no_result_whatever_its_form_is_an_error(tool: str, content: Any) -> None:
    """What cannot be read is passed over."""
    notes = read_notes(result(tool, content))
    assert notes.used == {tool}
    assert notes.texts == {}
