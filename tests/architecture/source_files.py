"""The project's own Python files, parsed once: what the architecture tests look at."""

import ast
import gc
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Package → its folder.
PACKAGES = {"baton": "functions/baton", "baton_events": "events/baton_events", "baton_local": "infra/baton_local"}

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class SourceFile:
    """One file; `name` is its path from the project's root."""

    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """It stays, so the garbage collector, which would go through all trees again and again, is kept out."""
        gc.disable()
        try:
            return ast.parse(self.text, self.name)
        finally:
            gc.freeze()
            gc.enable()

    @property
    def is_package_file(self) -> bool:
        """Whether it is an `__init__.py`."""
        return self.name.endswith("__init__.py")

    def functions(self) -> list[FunctionNode]:
        return [node for node in self._statements if isinstance(node, FunctionNode)]

    def classes(self) -> list[ast.ClassDef]:
        return [node for node in self._statements if isinstance(node, ast.ClassDef)]

    @cached_property
    def _statements(self) -> list[ast.AST]:
        """All statements, and what holds some; no expressions, which are most nodes of a tree."""
        found: list[ast.AST] = [self.tree]
        for node in found:
            for block in ("body", "handlers", "orelse", "finalbody", "cases"):
                found += getattr(node, block, [])
        return found


def source_files(*places: str) -> tuple[SourceFile, ...]:
    """All Python files below these folders, and those named themselves, in order."""
    return tuple(file for place in places for file in _files(place))


@cache
def _files(name: str) -> tuple[SourceFile, ...]:
    place = ROOT / name
    paths = [place] if place.is_file() else sorted(place.rglob("*.py"))
    return tuple(SourceFile(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths)


def module_of(file: SourceFile) -> str:
    place = next(place for place in PACKAGES.values() if file.name.startswith(f"{place}/"))
    below = file.name.removeprefix(place.rpartition("/")[0] + "/")
    return below.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def production_files() -> tuple[SourceFile, ...]:
    return source_files(*PACKAGES.values())


def all_files() -> tuple[SourceFile, ...]:
    return source_files(*PACKAGES.values(), "functions/handlers", "tests")
