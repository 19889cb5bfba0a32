"""The TypeScript client against the OpenAPI document: its types, and a method for each operation."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from baton.client import BatonClient
from tests.npm_client import TypeScriptProject
from tests.unit.baton.client.described import (
    EXPECTED,
    NOT_SENT,
    OF_ANOTHER_ACTION,
    body_fields,
    operation_at,
    query_fields,
)
from tests.unit.baton.server.web.api_types import TYPES, generated

pytestmark = pytest.mark.node
CALLS = Path(__file__).with_name("calls.ts")
OF_A_PAGE = {"cancelSession"}  # a method of `baton.js`


def test_the_types_are_those_of_the_document() -> None:
    """`python -m tests.unit.baton.server.web.api_types` writes them anew."""
    assert TYPES.read_text(encoding="utf-8") == generated()


@pytest.mark.long
def test_every_operation_has_a_method_that_sends_all_it_takes(tmp_path: Path) -> None:
    """As the Python client has them, by the same names; the program is compiled against the package of `npm pack`."""
    found: dict[str, Any] = json.loads(TypeScriptProject(tmp_path).run(CALLS.read_text(encoding="utf-8")))
    methods = set(found["methods"]) - {"constructor"} | OF_A_PAGE
    assert Counter(methods) == Counter(
        {re.sub(r"_(\w)", lambda found: found[1].upper(), name) for name in dir(BatonClient) if name[0] != "_"}
        - {"close", "request"}
    )
    assert {one["name"] for one in found["sent"]} == methods
    operations = set()
    for one in found["sent"]:
        address = urlsplit(one["url"])
        operation = operation_at(one["method"], address.path)
        operations.add(operation)
        others = OF_ANOTHER_ACTION.get(one["name"], set())
        assert body_fields(operation) - NOT_SENT - others == set(one["body"] or ())
        if one["name"] != "wait":  # `get` sends it all
            assert query_fields(operation) - {"cursor"} <= set(parse_qs(address.query)), operation
    assert operations == EXPECTED
