"""What is read out of a docstring."""

from hypothesis import given
from hypothesis import strategies as st

from baton.tools.signature import Docstring, read_docstring


def test_arguments_are_taken_out_of_the_description() -> None:
    """The model gets them with the arguments instead; other sections stay."""
    text = """Read a file.

    More about it.

    Args:
        path: the file,
            below the folder
        limit (int, optional): how much: at most

        ctx: the call

    Returns:
        Its text.
    """
    assert read_docstring(text) == Docstring(
        description="Read a file.\n\nMore about it.\n\nReturns:\n    Its text.",
        arguments={"path": "the file, below the folder", "limit": "how much: at most", "ctx": "the call"},
    )


def test_a_docstring_without_arguments_is_all_description() -> None:
    """Also one that only speaks of them."""
    assert read_docstring("Read. Args: none.") == Docstring("Read. Args: none.")


def test_no_docstring_is_an_empty_description() -> None:
    """A tool may be made without one."""
    assert read_docstring(None) == read_docstring("   \n ") == Docstring()


@given(st.text(alphabet=st.sampled_from("ab:*() \n\tArgs"), max_size=200))
def test_no_text_is_an_error(text: str) -> None:
    """Docstrings come in any style."""
    read_docstring(text)
    read_docstring(f"Do.\n\nArgs:\n{text}")
