"""Types of failures: all in one list, which the reference shows, and none in it that the code does not give."""

import re

from baton.sdk.records.transcript import FAILURE_TYPES
from tests.architecture.source_files import production_files

GIVEN = re.compile(r'\b(?:Failure|_failed)\(\s*"([a-z_]+)"|(?:Error|Failure)\([^()]*\btype="([a-z_]+)"')


def test_a_failure_has_a_type_of_the_list() -> None:
    given = {"".join(each) for file in production_files() for each in GIVEN.findall(file.text)}
    assert given - set(FAILURE_TYPES) == {"provider_unavailable"}, "which is that of a simulated provider"


def test_each_type_of_the_list_is_given_somewhere() -> None:
    text = "".join(file.text for file in production_files() if not file.name.endswith("records/transcript.py"))
    assert [each for each in FAILURE_TYPES if f'"{each}"' not in text] == []
