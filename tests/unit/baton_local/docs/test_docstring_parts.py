from baton_local.docs.python_reference import docstring_parts

DOCSTRING = """What it is.

More of it: with a colon.

Args:
    first: what it is,
        over two lines.
    second: the other.

Returns:
    Something: else.

Raises:
    TypeError: never.
"""


def test_sections_of_parameters_become_names_with_texts() -> None:
    """Lines that go on are joined; what is returned and raised is left out."""
    parts = docstring_parts(DOCSTRING)
    assert parts.text == "What it is.\n\nMore of it: with a colon."
    assert parts.parameters == {"first": "what it is, over two lines.", "second": "the other."}


def test_text_after_a_section_is_text_again() -> None:
    parts = docstring_parts("It.\n\nAttributes:\n    a: one.\nAfterwards.\n")
    assert parts.text.split() == ["It.", "Afterwards."]
    assert parts.parameters == {"a": "one."}


def test_a_docstring_without_sections_is_text() -> None:
    assert docstring_parts("Only this.") == docstring_parts("Only this.\n")
    assert docstring_parts("Only this.").parameters == {}
