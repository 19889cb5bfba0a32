from array import array
from pathlib import Path

import pytest

from baton_local.vector.embeddings import EmbedderError, EmbeddingModel, load_model

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
    assert [vector.values for vector in model.vectors_of(["ab", "abc"])] == [array("d", [2, 1]), array("d", [3, 1])]


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
    assert len(model.vectors_of(["ab"])) == 1
    with pytest.raises(EmbedderError, match="m:f returned 3 numbers instead of 2"):
        model.vectors_of(["ab", "abc"])
