import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton_local.vector.embeddings import EmbedderError, EmbeddingModel, hashed_text, load_model, model_of
from baton_local.vector.index import score as score_of

MODULE = """
from array import array
value = 5
def lengths(texts): return [[len(text), 1.0] for text in texts]
def arrays(texts): return [array("f", [len(text), 1]) for text in texts]
def raising(texts): raise OSError("no weights")
def nothing(texts): return None
def fewer(texts): return []
def empty(texts): return [[] for text in texts]
def words(texts): return [["x"] for text in texts]
def infinite(texts): return [[float("inf")] for text in texts]
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A module in the current folder, of a name that no other test has."""
    name = f"model_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    return name


@pytest.mark.parametrize("function", ["lengths", "arrays"])
def test_a_model_of_the_current_folder_is_loaded_and_tried(module: str, function: str) -> None:
    """Its dimension is what it returns; numbers of any kind become plain ones."""
    model = load_model(f"{module}:{function}")
    assert (model.name, model.dimension) == (f"{module}:{function}", 2)
    assert model.embedded(["ab", "abc"]) == [[2.0, 1.0], [3.0, 1.0]]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("missing", "cannot load the embedder .*AttributeError.*--embedder module:function"),
        ("value", "is not a function but int"),
        ("raising", "failed: OSError: no weights"),
        ("nothing", "failed: TypeError"),
        ("fewer", "returned 0 vectors for 1 texts"),
        ("empty", "returned a vector without numbers"),
        ("words", "failed: ValueError"),
        ("infinite", "not finite"),
    ],
)
def test_a_faulty_model_is_a_clear_error(module: str, function: str, reason: str) -> None:
    with pytest.raises(EmbedderError, match=f"{module}:{function}.*{reason}|{reason}"):
        load_model(f"{module}:{function}")


def test_a_module_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(EmbedderError, match="cannot load the embedder no_such_module:f: ModuleNotFoundError"):
        load_model("no_such_module:f")


def test_a_model_that_changes_its_dimension_is_found_out() -> None:
    model = EmbeddingModel("m:f", 2, lambda texts: [[1.0] * len(text) for text in texts])
    assert len(model.embedded(["ab"])) == 1
    with pytest.raises(EmbedderError, match="m:f returned 3 numbers instead of 2"):
        model.embedded(["ab", "abc"])


# The vector of `hello hello`: the word twice, one pair, five trigrams twice each.
KEPT = {39: 0.2132, 58: 0.8528, 158: 0.2132, 191: -0.2132, 223: 0.2132, 237: -0.2132, 332: -0.2132}


def score(one: str, other: str) -> float:
    return score_of(hashed_text(one, 384), hashed_text(other, 384))


def test_the_same_text_has_the_same_vector_everywhere() -> None:
    """In a process with another hash seed; and for good, since vectors are kept on disk."""
    program = "from baton_local.vector.embeddings import hashed_text; print(hashed_text('Crème brûlée, twice', 384))"
    done = subprocess.run([sys.executable, "-c", program], env={"PYTHONHASHSEED": "7"}, capture_output=True, check=True)
    vector = hashed_text("Crème brûlée, twice", 384)
    assert done.stdout.decode().strip() == str(vector)
    kept = {place: round(number, 4) for place, number in enumerate(hashed_text("hello hello", 384)) if number}
    assert kept == KEPT


@pytest.mark.parametrize(
    ("text", "nearer", "farther"),
    [
        ("a red lamp", "the lamp is red", "a blue door"),
        ("lighthouses", "a lighthouse", "greenhouse"),
        ("swimming", "swim", "running"),
        ("Größe", "GRÖSSE größe", "Masse"),
    ],
)
def test_shared_words_and_word_forms_are_near(text: str, nearer: str, farther: str) -> None:
    """Meaning is not known to it (vector-rest.md 8)."""
    assert score(text, nearer) > score(text, farther)


def test_case_and_compatibility_forms_do_not_count() -> None:
    """NFKC after lower-casing; what is between words does not count either."""
    assert score("The ﬁrst LAMP", "the first...lamp") == 1
    assert score("one two", "two one") < 1


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_has_a_direction(text: str) -> None:
    vector = hashed_text(text, 384)
    assert math.hypot(*vector) == pytest.approx(1)


def test_texts_without_words_differ() -> None:
    assert score("!?", "...") < 1
    assert score("", "!") < 1


def test_a_model_has_the_dimension_that_the_index_wants() -> None:
    model = model_of("hash", 16)
    assert model is not None
    assert (model.name, model.dimension, len(model.embedded(["text"])[0])) == ("BATON_HASH_16", 16, 16)
    assert model_of("none", 16) is None
