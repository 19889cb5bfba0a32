"""What the generators show is all that there is; that the pages have it, the tests of the architecture hold."""

import importlib
import re

import pytest

from baton_local.cli.main import SUBCOMMANDS
from tests.docs.generated.operators import command_reference
from tests.docs.generated.pictures import house
from tests.docs.generated.python_names import docstring_parts, names_of
from tests.docs.generated.wire import (
    api_document,
    api_routes,
    body_tables,
    command_fields,
    endpoint_table,
    event_fields,
)


@pytest.mark.parametrize("door", ["baton", "baton.tools", "baton.testing"])
def test_every_name_of_the_surface_has_its_section(door: str) -> None:
    """And no other; no address of an object is in it, so that the check of the pages does not fail by chance."""
    assert set(re.findall(r"^### `(\w+)`", names_of(door), re.MULTILINE)) == set(importlib.import_module(door).__all__)
    assert " at 0x" not in names_of(door)


def test_every_command_has_its_section() -> None:
    first_words = set(re.findall(r"^## `baton ([a-z]+)", command_reference(), re.MULTILINE))
    assert first_words == set(SUBCOMMANDS)
    assert "- `--data DIR`: The local" in command_reference().partition("baton keys revoke")[2].partition("\n## ")[0]


def test_links_of_the_endpoints_lead_to_tables_of_fields() -> None:
    sections = {name.lower() for name in re.findall(r"^### (\w+)$", body_tables(), re.MULTILINE)}
    linked = set(re.findall(r"\(#(\w+)\)", endpoint_table() + body_tables()))
    assert linked <= sections
    assert "submitbody" in linked
    assert len(endpoint_table().splitlines()) == len(api_routes()) + 2
    assert sections <= {name.lower() for name in api_document()["components"]["schemas"]}


def test_events_have_their_fields() -> None:
    assert "\nsessionId: string 1..200\n" in event_fields()
    assert "\ntraceparent?\n" in event_fields()
    assert "`submit`" in command_fields()


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
    """Lines that go on are joined; what is returned and raised is left out; text after a section is text again."""
    parameters = {"first": "what it is, over two lines.", "second": "the other."}
    assert docstring_parts(DOCSTRING) == ("What it is.\n\nMore of it: with a colon.", parameters)
    assert docstring_parts("It.\n\nAttributes:\n    a: one.\nAfterwards.\n") == ("It.\n\nAfterwards.", {"a": "one."})
    assert docstring_parts("Only this.\n") == ("Only this.", {})


def test_no_arrow_of_the_house_follows_from_others() -> None:
    """And the way from the command line to the events is there: a picture with all arrows is unreadable."""
    arrows = {part: others.split(" & ") for part, others in re.findall(r"^    (\w+) --> (.*)$", house(), re.MULTILINE)}

    def reached(part: str) -> set[str]:
        return {further for other in arrows.get(part, ()) for further in {other} | reached(other)}

    assert {"baton_local", *reached("baton_local")} == {*arrows, "baton_events"}
    assert reached("store") == {"engine", "settings", "sdk", "baton_events"}
    for others in arrows.values():
        assert not any(other in reached(between) for between in others for other in others)
