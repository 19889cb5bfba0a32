"""What every file must have, and must not have."""

import ast
import re

from tests.architecture.source_files import SourceFile, all_files, production_files

VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "stuff"}
# Written so that this file passes its own test.
UNFINISHED = re.compile(r"TO(?:DO)|FIX(?:ME)|XX(?:X)|raise NotImpl(?:ementedError)")
# Only where the platform lacks what a test is about may it be left out.
SKIPPING = re.compile(r"mark\.(skip\b|xfail|skipif\((?!sys\.platform))|pytest\.(skip|xfail|importorskip)\(")


def _is_reexport_or_docstring(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(value=ast.Constant(value=str())) | ast.Import() | ast.ImportFrom():
            return True
        case ast.Assign(targets=[ast.Name(id="__all__" | "_WHERE")]):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=body, orelse=[]):
            return all(isinstance(each, ast.ImportFrom) for each in body)
        case ast.FunctionDef(name="__getattr__"):  # loads what is named under TYPE_CHECKING when it is asked for
            return True
        case _:
            return False


def _names_behind_imports(file: SourceFile) -> set[str]:
    """What is imported from our packages, also where only a type checker imports it."""
    bodies = [file.tree.body, *(node.body for node in file.tree.body if isinstance(node, ast.If))]
    return {
        alias.asname or alias.name
        for body in bodies
        for node in body
        if isinstance(node, ast.ImportFrom) and node.module != "typing"
        for alias in node.names
    }


def test_every_file_of_the_packages_has_a_docstring() -> None:
    """It says what the file is responsible for, what holds, and what it must not do."""
    assert [file.name for file in production_files() if not ast.get_docstring(file.tree)] == []


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    assert [file.name for file in all_files() if VAGUE_NAMES & set(re.split(r"[/.]", file.name))] == []


def test_init_files_only_reexport() -> None:
    """No code in `__init__.py`: who imports a package must not run anything."""
    with_code = [
        f"{file.name}:{node.lineno}"
        for file in all_files()
        if file.is_package_file
        for node in file.tree.body
        if not _is_reexport_or_docstring(node)
    ]
    assert with_code == []


def test_what_init_files_import_is_exported_by_name() -> None:
    """`__all__` lists exactly what is re-exported."""
    for file in production_files():
        names = _names_behind_imports(file) if file.is_package_file else set()
        if names:
            exported = [ast.literal_eval(node.value) for node in file.tree.body if isinstance(node, ast.Assign)]
            assert [sorted(each) for each in exported] == [sorted(names)] * len(exported), file.name


def test_nothing_is_left_unfinished_and_no_test_is_skipped_or_expected_to_fail() -> None:
    """What is not built is not there, and a test that does not run proves nothing."""
    found = [
        f"{file.name}:{number}: {line.strip()}"
        for file in all_files()
        for number, line in enumerate(file.text.splitlines(), 1)
        if UNFINISHED.search(line) or (SKIPPING.search(line) and file.name != "tests/architecture/test_files.py")
    ]
    assert found == []
