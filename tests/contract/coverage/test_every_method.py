"""Every public method of the Python SDKs has a case, or stands in the table of what is not emulated."""

import ast
from dataclasses import replace
from pathlib import Path

from tests.contract.coverage.differences import DIFFERENCES
from tests.contract.coverage.javascript_surface import javascript_methods
from tests.contract.coverage.not_emulated import NOT_EMULATED, left_out
from tests.contract.coverage.shown import SHOWN, covered
from tests.contract.coverage.surface import asynchronous, python_methods, synchronous

TESTS = Path(__file__).parents[2]


def test_every_public_method_has_a_case() -> None:
    """Those of the JavaScript SDKs are looked at where node runs (test_javascript_sdks.py)."""
    methods = python_methods(synchronous())
    missing = left_out(methods, NOT_EMULATED)
    assert sorted(methods - missing - covered()) == []
    assert sorted(covered() - methods) == []
    assert sorted(covered() & missing) == []


def test_the_asynchronous_clients_have_the_same_methods() -> None:
    """So that one list stands for both."""
    assert python_methods(asynchronous()) == python_methods(synchronous()) - {"qstash Receiver.verify"}


def test_every_pattern_of_what_is_not_emulated_fits_a_method() -> None:
    """Else it is left over from an earlier SDK."""
    methods = python_methods(synchronous()) | javascript_methods()
    for row in NOT_EMULATED:
        for pattern in row.methods:
            assert left_out(methods, [replace(row, methods=(pattern,))]), pattern


def test_the_tests_that_the_tables_name_exist() -> None:
    """A difference that nothing holds is hearsay."""
    for test in {*(test for test, *_ in SHOWN), *(difference.test for difference in DIFFERENCES)}:
        file, _, name = test.partition("::")
        tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in functions, test
