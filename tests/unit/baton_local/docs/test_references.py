import re

import baton
import baton.testing
import baton.tools
from baton_local.cli.main import SUBCOMMANDS
from baton_local.docs.endpoint_tables import api_document, api_routes, body_tables, endpoint_table
from baton_local.docs.event_tables import command_fields, event_fields
from baton_local.docs.python_reference import baton_names, baton_testing_names, baton_tools_names, docstring_parts
from baton_local.docs.reference_tables import command_reference


def test_every_name_of_the_surface_has_its_section() -> None:
    """Of `baton`, of `baton.tools` and of `baton.testing`, and no other."""
    assert set(re.findall(r"^### `(\w+)`", baton_names(), re.MULTILINE)) == set(baton.__all__)
    assert set(re.findall(r"^### `(\w+)`", baton_tools_names(), re.MULTILINE)) == set(baton.tools.__all__)
    assert set(re.findall(r"^### `(\w+)`", baton_testing_names(), re.MULTILINE)) == set(baton.testing.__all__)


def test_a_reference_is_the_same_in_every_process() -> None:
    """No address of an object in it, so that the check of the pages does not fail by chance."""
    assert " at 0x" not in baton_names() + baton_testing_names() + baton_tools_names() + command_reference()


def test_every_command_has_its_section() -> None:
    first_words = set(re.findall(r"^## `baton ([a-z]+)", command_reference(), re.MULTILINE))
    assert first_words == set(SUBCOMMANDS)


def test_an_option_with_a_help_of_its_own_stands_with_its_command() -> None:
    assert "- `--data DIR`: The local" in command_reference().partition("baton keys revoke")[2].partition("\n## ")[0]


def test_links_of_the_endpoints_lead_to_tables_of_fields() -> None:
    sections = {name.lower() for name in re.findall(r"^### (\w+)$", body_tables(), re.MULTILINE)}
    linked = set(re.findall(r"\(#(\w+)\)", endpoint_table() + body_tables()))
    assert linked <= sections
    assert "submitbody" in linked
    assert len(endpoint_table().splitlines()) == len(api_routes()) + 2
    assert sections <= {name.lower() for name in api_document()["components"]["schemas"]}


def test_events_have_their_fields() -> None:
    assert "\nsessionId: string\n" in event_fields()
    assert "\ntraceparent?: string\n" in event_fields()
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
    """Lines that go on are joined; what is returned and raised is left out."""
    parts = docstring_parts(DOCSTRING)
    assert parts.text == "What it is.\n\nMore of it: with a colon."
    assert parts.parameters == {"first": "what it is, over two lines.", "second": "the other."}


def test_text_after_a_section_is_text_again() -> None:
    parts = docstring_parts("It.\n\nAttributes:\n    a: one.\nAfterwards.\n")
    assert parts.text.split() == ["It.", "Afterwards."]
    assert parts.parameters == {"a": "one."}
    assert docstring_parts("Only this.\n") == docstring_parts("Only this.")
    assert docstring_parts("Only this.").parameters == {}
