"""Sample mutants of `events` and `functions`, and say how many the unit tests notice: `python -m tests.mutation.run`.

Invariant: no file is changed. Tests are imported and collected once; each mutant lives in a forked process, where the
code of one function is replaced, and tests that call it are run until one fails: those of its
own file first, the quickest first. A test that takes far too
long has noticed, too.
"""

import argparse
import ast
import gc
import json
import os
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from random import Random  # noqa: TID251 - the one place that draws, from a seed that is printed
from types import CodeType, FrameType, FunctionType

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.mutants import Mutant, mutants_of, mutated

_ROOT = Path(__file__).parents[2]
_SOURCES, _TESTS = (
    ("events/baton_events", "functions/baton"),
    ("tests/unit/baton_events", "tests/unit/baton"),
)
_Key = tuple[str, int]  # file, first line
KILLED, SURVIVED, UNREACHED = "killed", "survived", "unreached"


def folder_of(path: str) -> str:
    """The folder by which a file counts: two levels at most."""
    return "/".join(Path(path).parent.parts[:2])


class Mutating:
    """A pytest plugin that runs the tests of mutants instead of all tests."""

    def __init__(self, most: int, seed: int, seconds: float, only: str, out: Path, again: frozenset[str]) -> None:
        self._most, self._random, self._seconds, self._only, self._out = most, Random(seed), seconds, only, out
        self._again = again
        self._reached: dict[_Key, list[tuple[float, int]]] = defaultdict(list)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Learn which tests call what, and then play mutant after mutant."""
        self._learn(session.items)
        functions = _functions_by_place()
        mutants = [mutant for mutant in _all_mutants(self._only) if _key(mutant) in functions]
        if self._again:
            mutants = [mutant for mutant in mutants if _line(SURVIVED, mutant) in self._again]
        self._random.shuffle(mutants)
        ends_at = time.monotonic() + self._seconds
        with self._out.open("a") as out:
            for mutant in mutants[: self._most]:
                if time.monotonic() > ends_at:
                    break
                verdict = self._try(mutant, functions[_key(mutant)], session.items)
                out.write(_line(verdict, mutant) + "\n")
                out.flush()
        return True

    def _learn(self, items: list[pytest.Item]) -> None:
        """Run all tests once, each file in a process of its own, and note which functions each calls, and how long."""
        for _, numbered in groupby(enumerate(items), key=lambda entry: entry[1].path):
            self._learn_file(list(numbered))

    def _learn_file(self, numbered: list[tuple[int, pytest.Item]]) -> None:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            _silent()
            with os.fdopen(write, "w") as found:
                signal.alarm(10 * _TOO_LONG_SECONDS)
                following = [*(item for _, item in numbered[1:]), None]
                for (at, item), after in zip(numbered, following, strict=True):
                    seen, began_at = set[CodeType](), time.perf_counter()
                    sys.setprofile(_noting(seen))
                    good = _passes(item, after)
                    sys.setprofile(None)
                    if good:
                        took = time.perf_counter() - began_at
                        keys = {(_relative(code.co_filename), code.co_firstlineno) for code in seen}
                        found.write(json.dumps([at, took, sorted(keys)]) + "\n")
                        found.flush()  # a test may end its process
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as found:
            for line in found:
                at, took, keys = json.loads(line)
                for path, first_line in keys:
                    self._reached[path, first_line].append((took, at))
        os.waitpid(child, 0)

    def _try(self, mutant: Mutant, functions: list[FunctionType], items: list[pytest.Item]) -> str:
        tests, budget = list[int](), _MOST_SECONDS
        own = Path(mutant.path).stem
        reached = sorted(self._reached[_key(mutant)], key=lambda test: (own not in items[test[1]].path.stem, test))
        for took, at in reached if self._again else reached[:_MOST_TESTS]:
            budget -= took
            if tests and budget < 0 and not self._again:
                break
            tests.append(at)
        if not tests:
            return UNREACHED
        child = os.fork()
        if child == 0:
            _silent()
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(_TOO_LONG_SECONDS)
            if not _replace(mutant, functions):
                os._exit(2)
            chosen = [items[at] for at in tests]
            noticed = any(not _passes(item, after) for item, after in zip(chosen, [*chosen[1:], None], strict=True))
            os._exit(1 if noticed else 0)
        _, status = os.waitpid(child, 0)
        return SURVIVED if os.waitstatus_to_exitcode(status) == 0 else KILLED


def _line(verdict: str, mutant: Mutant) -> str:
    return json.dumps([verdict, mutant.path, mutant.line, mutant.qualname, mutant.what], ensure_ascii=False)


_MOST_SECONDS, _MOST_TESTS, _TOO_LONG_SECONDS = 2.0, 40, 60


def _noting(seen: set[CodeType]) -> Callable[[FrameType, str, object], None]:
    """Note each function of ours that is called."""

    def note(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and code not in seen and _is_ours(code.co_filename):
            seen.add(code)

    return note


def _is_ours(filename: str) -> bool:
    return filename.startswith(_PREFIXES)


_PREFIXES = tuple(f"{_ROOT / folder}/" for folder in _SOURCES)


def _relative(filename: str) -> str:
    return str(Path(filename).relative_to(_ROOT))


def _key(mutant: Mutant) -> _Key:
    return mutant.path, mutant.function_line


def _silent() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _passes(item: pytest.Item, after: pytest.Item | None) -> bool:
    return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=after))


def _functions_by_place() -> dict[_Key, list[FunctionType]]:
    found: dict[_Key, list[FunctionType]] = defaultdict(list)
    gc.unfreeze()  # tests/conftest.py has frozen what was collected
    for function in gc.get_objects():
        if type(function) is FunctionType and _is_ours(function.__code__.co_filename):
            found[_relative(function.__code__.co_filename), function.__code__.co_firstlineno].append(function)
    return found


def _all_mutants(only: str) -> Iterable[Mutant]:
    for folder in _SOURCES:
        for path in sorted((_ROOT / folder).rglob("*.py")):
            name = str(path.relative_to(_ROOT))
            if name.startswith(only):
                yield from mutants_of(name, path.read_text())


def _replace(mutant: Mutant, functions: list[FunctionType]) -> bool:
    """Give the functions the mutant's code; False where it is none that fits."""
    path = _ROOT / mutant.path
    module: ast.Module = mutated(mutant, path.read_text())
    code = _code_in(compile(module, str(path), "exec", dont_inherit=True), mutant)
    if code is None:
        return False
    for function in functions:
        if function.__code__.co_freevars == code.co_freevars:
            function.__code__ = code
    return True


def _code_in(code: CodeType, mutant: Mutant) -> CodeType | None:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_firstlineno == mutant.function_line and constant.co_qualname == mutant.qualname:
                return constant
            inside = _code_in(constant, mutant)
            if inside is not None:
                return inside
    return None


def table(lines: Iterable[str]) -> str:
    """Say for each folder how many mutants were killed."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        verdict, path, *_ = json.loads(line)
        counted[folder_of(path)][verdict] += 1
        counted["all"][verdict] += 1
    rows = ["| folder | mutants | killed | survived | no test calls it | killed of all |", "|---|---|---|---|---|---|"]
    for folder, of in sorted(counted.items(), key=lambda entry: (entry[0] == "all", entry[0])):
        rate = f"{100 * of[KILLED] / of.total():.0f} %"
        rows.append(f"| {folder} | {of.total()} | {of[KILLED]} | {of[SURVIVED]} | {of[UNREACHED]} | {rate} |")
    return "\n".join(rows)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Sample mutants, and say how many the unit tests notice.")
    parser.add_argument("--mutants", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3_600.0, help="begin no more after that time")
    parser.add_argument("--only", default="", help="a folder or file: functions/baton/runtime/pipeline.py")
    parser.add_argument("--out", type=Path, default=Path("/tmp/mutants.jsonl"), help="a line for each is added here")
    parser.add_argument("--again", type=Path, help="only what survived there, by all tests that call it")
    parser.add_argument("tests", nargs="*", help="folders or files of tests; else all unit tests")
    options = parser.parse_args()
    again = frozenset(options.again.read_text().splitlines()) if options.again else frozenset[str]()
    plugin = Mutating(options.mutants, options.seed, options.seconds, options.only, options.out, again)
    pytest.main(["-q", "-p", "no:cacheprovider", *(options.tests or _TESTS)], plugins=[plugin])
    print(table(options.out.read_text().splitlines()))  # noqa: T201 - it is a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
