"""Which test reaches which statement of the product, learned once and kept in a file.

Invariant: what a file of tests reaches is learned anew when its text has changed. A change of the product moves lines:
begin with a new file then. A test that fails by itself reaches nothing.
"""

import ast
import builtins
import json
import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.code import ROOT, Functions, functions_in
from tests.mutation.mutants import Mutant

_LONGEST_SECONDS = 300  # of a file of tests
_BODIES = ("body", "orelse", "finalbody")
_Learned = dict[str, tuple[float, dict[str, list[int]]]]
_REACHED = "_reached_by_a_test"
T = TypeVar("T")


class Reach:
    """Which tests reach what, and how long each takes."""

    def __init__(
        self, items: list[pytest.Item], functions: Functions, files: list[str], kept: Path, workers: int
    ) -> None:
        self._functions, self._files = functions, files
        self._tests: dict[tuple[str, int], set[int]] = defaultdict(set)
        self.seconds: dict[int, float] = {}
        kept.touch()
        tests = {_name(path): list(of) for path, of in groupby(items, key=lambda item: item.path)}
        known = {json.loads(line)[0] for line in kept.read_text().splitlines()}
        anew = [name for name in tests if name not in known]
        share_out(workers, anew, lambda name: append(kept, [name, self._learned(tests[name])]))
        numbers = {item.nodeid: at for at, item in enumerate(items)}
        for name, learned in map(json.loads, kept.read_text().splitlines()):
            if name in tests:
                self._add(learned, numbers)

    def tests(self, mutant: Mutant) -> set[int]:
        """Return the tests that reach the mutant's statement."""
        around = [first for first, last in _statements(mutant.path) if first <= mutant.line <= last]
        return self._tests[mutant.path, max(around)]

    def _add(self, learned: _Learned, numbers: dict[str, int]) -> None:
        for nodeid, (seconds, lines) in learned.items():
            if nodeid in numbers:
                self.seconds[numbers[nodeid]] = seconds
                for path, reached in lines.items():
                    for line in reached:
                        self._tests[path, line].add(numbers[nodeid])

    def _learned(self, items: list[pytest.Item]) -> _Learned:
        """Run the tests of a file once, in a process of its own."""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            silent()
            signal.alarm(_LONGEST_SECONDS)
            reached: dict[str, set[int]] = defaultdict(set)
            setattr(builtins, _REACHED, lambda path, line: reached[path].add(line))
            for path in self._files:
                self._functions.replace(path, _noting(path))
            for item in items:
                reached.clear()
                began_at = time.perf_counter()
                if is_passed(item):
                    lines = {path: sorted(of) for path, of in reached.items()}
                    entry = [item.nodeid, [time.perf_counter() - began_at, lines]]
                    os.write(write, json.dumps(entry).encode() + b"\n")  # at once: a test may end its process
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as found:
            learned = dict(map(json.loads, found))
        os.waitpid(child, 0)
        return learned


def share_out(workers: int, parts: Sequence[T], work: Callable[[T], None]) -> None:
    """Do the parts in processes of their own, in turns."""
    children = []
    for worker in range(workers):
        child = os.fork()
        if child == 0:
            try:
                for part in parts[worker::workers]:
                    work(part)
            finally:
                os._exit(0)  # whatever happens, it must not go on as a second session
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def append(kept: Path, entry: object) -> None:
    """Add a line at once, beside other processes."""
    with kept.open("ab", buffering=0) as out:
        out.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")


def silent() -> None:
    """Say nothing from here on: a mutant's tests fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def is_passed(item: pytest.Item) -> bool:
    """Run a test with all that it needs, and clear up after it."""
    return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))


def _name(path: Path) -> str:
    return f"{path.relative_to(ROOT)} {sha256(path.read_bytes()).hexdigest()}"


def _noting(path: str) -> ast.Module:
    """Make the file's module in which each statement of a function is noted before it is done."""
    tree = ast.parse((ROOT / path).read_text())
    for _, _, function in functions_in(tree):
        for node in list(ast.walk(function)):
            for body in [getattr(node, field, None) for field in _BODIES]:
                if isinstance(body, list):
                    body[:] = [each for statement in body for each in (_note(path, statement), statement)]
    return tree


def _note(path: str, statement: ast.stmt) -> ast.stmt:
    called = ast.Call(ast.Name(_REACHED, ast.Load()), [ast.Constant(path), ast.Constant(statement.lineno)], [])
    return ast.copy_location(ast.Expr(called), statement)


@cache
def _statements(path: str) -> list[tuple[int, int]]:
    tree = ast.parse((ROOT / path).read_text())
    found = [node for _, _, function in functions_in(tree) for node in ast.walk(function) if isinstance(node, ast.stmt)]
    return [(node.lineno, node.end_lineno or node.lineno) for node in found]
