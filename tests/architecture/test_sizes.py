"""Files, functions, classes and folders stay small enough to be held in mind; test_budget.py has the sums."""

import ast
from collections import Counter
from pathlib import PurePath

from tests.architecture.source_files import FunctionNode, all_files, production_files

FILE_LIMIT_LINES = 600
FUNCTION_LIMIT_LINES = 60
CLASS_LIMIT_PUBLIC_METHODS = 10
FOLDER_LIMIT_MODULES = 20
# `Store` is one port, a tree and its draft are what all of its steps are made of, and asyncio asks a loop for much.
MANY_STEPS = (
    "functions/baton/sdk/workflows/stretch_loop.py",
    "functions/baton/store/redis/store.py",
    "functions/baton/engine/commit/draft.py",
    "functions/baton/engine/commit/tree.py",
)


def _length_lines(function: FunctionNode) -> int:
    """Lines from `def` to the end, without the docstring."""
    first = function.body[0]
    docstring_lines = 0
    if ast.get_docstring(function, clean=False) is not None:
        docstring_lines = (first.end_lineno or first.lineno) - first.lineno + 1
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring_lines


def test_no_file_is_longer_than_600_lines() -> None:
    """Tests included: a file that nobody can hold in mind is no proof of anything."""
    too_long = {file.name: lines for file in all_files() if (lines := len(file.text.splitlines())) > FILE_LIMIT_LINES}
    assert too_long == {}


def test_no_function_is_longer_than_60_lines() -> None:
    too_long = {
        f"{file.name}:{function.lineno} {function.name}": _length_lines(function)
        for file in all_files()
        for function in file.functions()
        if _length_lines(function) > FUNCTION_LIMIT_LINES
    }
    assert too_long == {}


def test_no_class_has_more_than_10_public_methods() -> None:
    """Properties count as methods; what begins with an underscore does not."""
    too_many = {
        f"{file.name}:{node.lineno} {node.name}": len(public)
        for file in production_files()
        for node in file.classes()
        if not file.name.startswith(MANY_STEPS)
        and len(public := [f.name for f in node.body if isinstance(f, FunctionNode) and not f.name.startswith("_")])
        > CLASS_LIMIT_PUBLIC_METHODS
    }
    assert too_many == {}


def test_no_folder_has_more_than_20_modules() -> None:
    modules = Counter(PurePath(file.name).parent for file in production_files() if not file.is_package_file)
    assert {str(folder): count for folder, count in modules.items() if count > FOLDER_LIMIT_MODULES} == {}
