"""The code of the product's functions, which is replaced where it stands: nothing is imported anew."""

import ast
import gc
import importlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FunctionType

ROOT = Path(__file__).parents[2]
_SOURCES = tuple(ROOT / name for name in ("events", "functions", "infra"))
Place = tuple[str, str, int]  # file, qualified name, first line
Function = ast.FunctionDef | ast.AsyncFunctionDef


def files_of(folders: Iterable[str]) -> list[str]:
    names = [str(path.relative_to(ROOT)) for path in sorted(path for of in _SOURCES for path in of.rglob("*.py"))]
    return [name for name in names if any(name == part or name.startswith(f"{part}/") for part in folders)]


def functions_in(tree: ast.AST, names: tuple[str, ...] = ()) -> Iterator[tuple[str, int, Function]]:
    """Each function that is not inside another one, with its name and first line; those inside are part of it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from functions_in(node, (*names, node.name))
        elif isinstance(node, Function):
            first_line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield ".".join((*names, node.name)), first_line, node


class Functions:
    """The functions that there are, also of modules that are imported only when they are needed."""

    def __init__(self, files: Iterable[str]) -> None:
        for name in files:
            importlib.import_module(".".join(Path(name).with_suffix("").parts[1:]))
        self._found: dict[Place, list[FunctionType]] = defaultdict(list)
        places = tuple(f"{place}/" for place in _SOURCES)
        gc.unfreeze()  # tests/conftest.py has frozen what was collected
        for function in gc.get_objects():
            if type(function) is FunctionType and function.__code__.co_filename.startswith(places):
                code = function.__code__
                path = str(Path(code.co_filename).relative_to(ROOT))
                self._found[path, code.co_qualname, code.co_firstlineno].append(function)
        gc.freeze()

    def replace(self, path: str, tree: ast.Module, only: tuple[str, int] | None = None) -> None:
        """Give all functions of a file, or only one, the code that they have in a changed tree."""
        ast.fix_missing_locations(tree)
        for code in _codes(compile(tree, str(ROOT / path), "exec", dont_inherit=True)):
            if only in (None, (code.co_qualname, code.co_firstlineno)):
                for function in self._found.get((path, code.co_qualname, code.co_firstlineno), []):
                    if function.__code__.co_freevars == code.co_freevars:
                        function.__code__ = code


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)
