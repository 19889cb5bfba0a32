"""A method's name means one thing: a public name stands in at most three unrelated classes.

Classes are related if one inherits from the other, if both fit one protocol that has the method, or if they share a
folder, whose classes answer one question (a verb's phases in `commands`, the handlers of `api`).
"""

import ast
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import combinations
from pathlib import PurePath

import pytest

from tests.architecture.source_files import FunctionNode, SourceFile, production_files

MOST = 3
# Verbs of the language and of the field, which readers know before they open a class.
ALLOWED = {
    **dict.fromkeys(("aclose", "call_at", "close"), "Python"),
    **dict.fromkeys(("read", "run", "start", "stop", "take", "write"), "Python"),
    **dict.fromkeys(("delete", "get", "request", "submit"), "REST"),
    "handle_async_request": "httpx",
    "check": "raises or reports what is wrong",
    "emit": "publishes an app event, whoever does it",
    "of": "the constructor of a record from another one",
}  # fmt: skip

Class = tuple[str, str]
LAYERS_OF_ROOMS = ("sdk", "store", "worker")


class _Classes:
    """All classes by file and name: their bases, and their own public methods."""

    def __init__(self, files: Iterable[SourceFile]) -> None:
        self.nodes: dict[Class, ast.ClassDef] = {
            (file.name, node.name): node for file in files for node in file.classes()
        }
        self._named: defaultdict[str, list[Class]] = defaultdict(list)
        for name in self.nodes:
            self._named[name[1]].append(name)
        self.all: dict[Class, frozenset[str]] = {name: self._inherited(name) for name in self.nodes}
        self.protocols = [name for name in self.nodes if "Protocol" in self._bases(name)]

    def own(self, name: Class) -> set[str]:
        return {one.name for one in self.nodes[name].body if isinstance(one, FunctionNode) and one.name[0] != "_"}

    def related(self, one: Class, other: Class, method: str) -> bool:
        if _folder(one[0]) == _folder(other[0]) or one in self.above(other) or other in self.above(one):
            return True
        return any(
            method in self.all[protocol] and self.all[protocol] <= self.all[one] & self.all[other]
            for protocol in self.protocols
        )

    def above(self, name: Class) -> set[Class]:
        return {name}.union(*(self.above(base) for base in self._parents(name)))

    def _inherited(self, name: Class) -> frozenset[str]:
        return frozenset().union(*(self.own(one) for one in self.above(name)))

    def _parents(self, name: Class) -> Iterator[Class]:
        yield from (base for text in self._bases(name) for base in self._named[text] if base != name)

    def _bases(self, name: Class) -> list[str]:
        return [ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in self.nodes[name].bases]


def _folder(name: str) -> str:
    """Return the room that a file is in, with the rooms below it: layers that hold nothing but rooms are none."""
    parts = PurePath(name).parent.parts
    return str(PurePath(*parts[: 4 if parts[2:3] and parts[2] in LAYERS_OF_ROOMS else 3]))


def ambiguous(files: Iterable[SourceFile], allowed: Collection[str] = ALLOWED.keys()) -> Mapping[str, list[str]]:
    """Each method name that stands in more unrelated classes, with one class of each meaning."""
    classes = _Classes(files)
    holders: defaultdict[str, list[Class]] = defaultdict(list)
    for name in classes.nodes:
        for method in classes.own(name) if name[1][0] != "_" else ():
            holders[method].append(name)
    meanings = {method: _meanings(classes, method, names) for method, names in holders.items() if method not in allowed}
    return {method: found for method, found in meanings.items() if len(found) > MOST}


def _meanings(classes: _Classes, method: str, names: list[Class]) -> list[str]:
    first = {name: name for name in names}
    for one, other in combinations(names, 2):
        if first[one] != first[other] and classes.related(one, other, method):
            kept, lost = first[one], first[other]
            first.update({name: kept for name, group in first.items() if group == lost})
    return sorted({f"{file}:{name}" for file, name in first.values()})


def test_a_public_method_name_stands_in_at_most_three_unrelated_classes() -> None:
    assert ambiguous(production_files()) == {}


def test_what_is_allowed_is_needed() -> None:
    assert set(ALLOWED) <= set(ambiguous(production_files(), allowed=()))


@pytest.mark.parametrize(("bases", "fails"), [("", True), ("Ripener", False)])
def test_a_fourth_meaning_is_found(bases: str, *, fails: bool) -> None:
    texts = [f"class {name}({bases}):\n    def ripen(self): ..." for name in ("A", "B", "C", "D")]
    files = [SourceFile(f"functions/baton/{number}/x.py", text) for number, text in enumerate(texts)]
    base = SourceFile("functions/baton/b/x.py", "class Ripener(Protocol):\n    def ripen(self): ...")
    assert bool(ambiguous([*files, base] if bases else files)) is fails
