"""What a call refuses to be."""

from typing import Any

import pytest

from baton.models.model import Call


def test_arguments_default_to_none_given() -> None:
    """A call without arguments has an empty object of its own."""
    first, second = Call("list_files"), Call("list_files")
    assert first.arguments == {}
    assert first == second
    assert first.arguments is not second.arguments


@pytest.mark.parametrize("tool", ["", None, 3])
def test_a_tool_must_have_a_name(tool: Any) -> None:
    """The error names what was given instead."""
    with pytest.raises(TypeError, match=f"must be a tool's name, got {tool!r}"):
        Call(tool)


@pytest.mark.parametrize("arguments", [["a.txt"], "a.txt", {1: "a.txt"}, None])
def test_arguments_must_be_a_json_object(arguments: Any) -> None:
    """A list or a bare value is a usual mistake; the error shows the right form."""
    with pytest.raises(TypeError, match="write Call"):
        Call("read_file", arguments)
