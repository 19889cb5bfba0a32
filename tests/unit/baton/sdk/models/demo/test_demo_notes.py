"""What the demo model reads out of its messages, and which words, files and sentences answer a question."""

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.sdk.models.demo.moves import plan_by_form
from baton.sdk.models.demo.notes import read_notes
from baton.sdk.models.demo.relevance import Quote, best_quotes, rank_files, search_words, stem, wants_name, wants_number
from baton.sdk.models.model import Call, ModelMessage, PastCall, ToolMessage, ToolSpec, UserMessage
from baton.sdk.tools.tool import tool


def result(
    tool: str, content: Any, *, requested: str = "x", is_error: bool = False
) -> tuple[ModelMessage, ToolMessage]:
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
    """Counts that it gives are taken: they also count hits that were not shown."""
    rows = [{"path": "a.md", "text": "one"}, {"path": "a.md", "text": "two"}, {"path": "b.md"}]
    notes = read_notes(result("search_files", rows, requested="oil"))
    assert notes.hits == {"oil": {"a.md": 2, "b.md": 1}}
    assert notes.lines == {"a.md": ["one", "two"]}
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


def spec(name: str, required: list[str], **properties: Any) -> ToolSpec:
    return ToolSpec(name, "", {"properties": properties, "required": required})


def agents(*names: str) -> list[ToolSpec]:
    return [spec(name, ["task"], task={"type": "string"}) for name in names]


@tool
def price(item: Literal["lamp", "storm lens", "oil"]) -> int:
    """Look a price up."""
    return len(item)


PRICE = ToolSpec(price.name, price.description, price.parameters)


@pytest.mark.parametrize(
    ("question", "tasks"),
    [
        ("Who? How?", ["Who?", "How?"]),
        ("Who? How? Where? When?", ["Who? Where?", "How? When?"]),
        ("Who did it?", ["Who did it?", "Who did it?"]),
    ],
)
def test_agents_share_the_sentences_of_a_question(question: str, tasks: list[str]) -> None:
    """Where there are fewer sentences than agents, everyone has the whole question."""
    assert [call.arguments for call in plan_by_form(question, agents("a", "b")).calls] == [
        {"task": task} for task in tasks
    ]


def test_a_choice_is_made_for_each_that_the_question_names() -> None:
    """All words of it, in any number; `price` is made with @tool and `Literal`."""
    step = plan_by_form("What do storm lenses and lamps cost?", [PRICE])
    assert step.calls == (Call("price", {"item": "lamp"}), Call("price", {"item": "storm lens"}))
    assert "I ask price about lamp." in step.text


@pytest.mark.parametrize(
    "other",
    [
        spec("fetch", ["url"], url={"type": "string"}),
        spec("wait", ["event", "task"], event={}, task={}),
        spec("odd", ["x"], x={"enum": [1, 2]}),
    ],
)
def test_any_other_tool_is_left_alone(other: ToolSpec) -> None:
    assert plan_by_form("Fetch x 1 now?", [other]).calls == ()


def test_nothing_asked_is_nothing_done() -> None:
    assert plan_by_form(" ", agents("a")).calls == ()


@pytest.mark.parametrize(
    ("word", "stemmed"),
    [
        ("lenses", "lens"),
        ("lens", "lens"),
        ("houses", "house"),
        ("watches", "watch"),
        ("glass", "glass"),
        ("pharos", "pharos"),
        ("lighting", "light"),
        ("king", "king"),
        ("red", "red"),
        ("gas", "gas"),
        ("keeper's", "keeper"),
    ],
)
def test_endings_that_a_text_may_lack_are_taken_off(word: str, stemmed: str) -> None:
    """So that a search for the word finds its other forms."""
    assert stem(word) == stemmed


def test_small_words_are_dropped_and_order_is_kept() -> None:
    words = search_words("How did the Fresnel lenses reach the U.S. lighthouses in 1852?")
    assert words == ("fresnel", "lens", "reach", "lighthouse", "1852")
    assert search_words("What is it about, then?") == ()


def test_a_question_requests_a_counter_or_a_name() -> None:
    assert wants_number("When was it lit?")
    assert wants_number("How high is it?")
    assert not wants_number("How does it work?")
    assert wants_name("Who built it?")
    assert not wants_name("What is it?")


@given(st.text(max_size=300))
def test_any_text_is_a_question(text: str) -> None:
    """Whatever people type, the words are few, distinct and stable."""
    words = search_words(text)
    assert len(words) == len(set(words)) <= 5
    assert search_words(text) == words


TEXT = """# Lamps

The keeper lit the lamp at sunset every day.

- Whale oil was burned in 1790 by *many* stations along the coast.
- The weather was often bad on this coast.
"""


def test_rare_words_rank_a_file_higher_than_common_ones() -> None:
    """A file named as the question ranks without any search."""
    counts = {"lighthouse": {"a.md": 9, "b.md": 9, "c.md": 9}, "whale": {"c.md": 1}}
    assert rank_files(["lighthouse", "whale"], counts, ["a.md", "b.md", "c.md"])[0] == "c.md"
    assert rank_files(["oil"], {}, ["lamps.md", "whale-oil.md"]) == ["whale-oil.md"]
    counts = {"oil": {"a.md": 1}, "lamp": {"oil.md": 2}}
    assert rank_files(["oil", "lamp"], counts, []) == ["oil.md", "a.md"], "a name counts as one hit"


def test_the_sentence_that_answers_is_quoted_exactly_without_markup() -> None:
    quotes = best_quotes("When was whale oil burned?", {"lamps.md": TEXT}, 1)
    assert quotes == [Quote("lamps.md", "Whale oil was burned in 1790 by many stations along the coast.")]


def test_one_file_never_fills_the_whole_answer() -> None:
    first = "\n\n".join(f"The {word} was here for many years." for word in ("whale", "oil", "lamp", "wick"))
    quotes = best_quotes("whale oil lamp wick", {"a.md": first, "b.md": "A wick stood there for years."}, 6)
    assert [quote.path for quote in quotes] == ["a.md", "a.md", "a.md", "b.md"]


@given(st.text(max_size=60), st.dictionaries(st.sampled_from(["a.md", "b.md"]), st.text(max_size=200)))
def test_every_quote_stands_in_the_file_it_names(question: str, texts: dict[str, str]) -> None:
    """Whatever the texts, no word of a quote is made up."""
    for quote in best_quotes(question, texts, 4):
        assert set(quote.sentence) <= set(texts[quote.path]) | {" "}
