"""Which files and sentences answer a question."""

from hypothesis import given
from hypothesis import strategies as st

from baton.models.demo.relevance import Quote, best_quotes, rank_files

TEXT = """# Lamps

The keeper lit the lamp at sunset every day.

- Whale oil was burned in 1790 by *many* stations along the coast.
- The weather was often bad on this coast.
"""


def test_rare_words_rank_a_file_higher_than_common_ones() -> None:
    """A word that every file has tells nothing."""
    counts = {"lighthouse": {"a.md": 9, "b.md": 9, "c.md": 9}, "whale": {"c.md": 1}}
    assert rank_files(["lighthouse", "whale"], counts, ["a.md", "b.md", "c.md"])[0] == "c.md"


def test_a_file_named_as_the_question_ranks_without_any_search() -> None:
    """That is what can be told from a listing alone."""
    assert rank_files(["oil"], {}, ["lamps.md", "whale-oil.md"]) == ["whale-oil.md"]


def test_the_sentence_that_answers_is_quoted_exactly_without_markup() -> None:
    """Markup goes, words stay."""
    quotes = best_quotes("When was whale oil burned?", {"lamps.md": TEXT}, 1)
    assert quotes == [Quote("lamps.md", "Whale oil was burned in 1790 by many stations along the coast.")]


def test_one_file_never_fills_the_whole_answer() -> None:
    """Three sentences at most come from one file."""
    first = "\n\n".join(f"The {word} was here for many years." for word in ("whale", "oil", "lamp", "wick"))
    quotes = best_quotes("whale oil lamp wick", {"a.md": first, "b.md": "A wick stood there for years."}, 6)
    assert [quote.path for quote in quotes] == ["a.md", "a.md", "a.md", "b.md"]


@given(st.text(max_size=60), st.dictionaries(st.sampled_from(["a.md", "b.md"]), st.text(max_size=200)))
def test_every_quote_stands_in_the_file_it_names(question: str, texts: dict[str, str]) -> None:
    """Whatever the texts, no word of a quote is made up."""
    for quote in best_quotes(question, texts, 4):
        assert set(quote.sentence) <= set(texts[quote.path]) | {" "}
