"""Sample mutants of folders, and say how many the unit tests notice: `python -m tests.mutation.run`.

Invariant: no file of the product is changed. Tests are imported and collected once. Each mutant lives in forked
processes, where the code of one function is replaced, and the tests that reach the changed line run until one fails. A
test that also fails alone without the mutant has noticed nothing. A test that takes far too long has.
"""

import argparse
import json
import os
import re
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.mutation.code import ROOT, Functions, files_of
from tests.mutation.mutants import Mutant, mutants_of, mutated
from tests.mutation.reach import Reach, append, is_passed, share_out, silent

_OF = ("server/api", "server/protocols", "server/routes.py", "worker/executors", "worker/conversation")
_FOLDERS = [f"functions/baton/{name}" for name in (*_OF, "sdk/tools", "sdk/models")]
_MOST_SECONDS, _MOST_TESTS, _MOST_EXAMPLES = 4.0, 60, 25
_MOST_SECONDS_AGAIN = 30.0
KILLED, TIMED_OUT, SURVIVED, UNREACHED = "killed", "timed out", "survived", "unreached"


class Mutating:
    """A pytest plugin that runs the tests of mutants instead of all tests."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._sound: dict[int, bool] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Draw the same values each time, and let a property that fails be enough."""
        from hypothesis import Phase, settings  # noqa: PLC0415 - pytest refuses plugins that are imported before it

        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutants", settings.default, phases=phases, derandomize=True, database=None)
        settings.load_profile("mutants")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Try few examples of a property for each mutant, and all of them for those that survived."""
        for item in () if self._options.again else session.items:
            of: Any = getattr(item, "obj", None)
            of = getattr(of, "__func__", of)
            chosen = getattr(of, "_hypothesis_internal_use_settings", None)
            if chosen is not None and chosen.max_examples > _MOST_EXAMPLES:
                of._hypothesis_internal_use_settings = type(chosen)(chosen, max_examples=_MOST_EXAMPLES)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Learn which tests reach what, and then play mutant after mutant."""
        self._items = session.items
        session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined] # one for all processes
        workers, files = self._options.workers, files_of(self._options.only or _FOLDERS)
        self._functions = Functions(files)
        self._reach = Reach(self._items, self._functions, files, self._options.reach, workers)
        self._ends_at = time.monotonic() + self._options.seconds
        share_out(workers, self._sample(), self._play)
        return True

    def _play(self, mutant: Mutant) -> None:
        if time.monotonic() < self._ends_at:
            verdict, by = self._try(mutant)
            append(self._options.out, {"verdict": verdict, "by": by, **asdict(mutant)})

    def _sample(self) -> list[Mutant]:
        """Choose by the mutants' names, so that it stays the same while other functions change."""
        options = self._options
        files = files_of(options.only or _FOLDERS)
        every = [mutant for name in files for mutant in mutants_of(name, (ROOT / name).read_text())]
        again = {read.name for read in _read(options.again, {SURVIVED, UNREACHED})} if options.again else None
        if again is not None:
            return [mutant for mutant in every if mutant.name in again]
        chosen = sorted(every, key=lambda mutant: sha256(f"{options.seed} {mutant.name}".encode()).digest())
        sample = sorted(chosen, key=lambda mutant: not mutant.mixes_up)[: options.mutants]
        played = {read.name for read in _read(options.out, {KILLED, TIMED_OUT, SURVIVED, UNREACHED})}
        return [mutant for mutant in sample if mutant.name not in played]

    def _try(self, mutant: Mutant) -> tuple[str, str]:
        """Return whether tests notice the mutant, and which one."""
        tests = self._tests_of(mutant)
        if not tests:
            return UNREACHED, ""
        while tests:
            failed, in_time = _first_failed(self._items, tests, lambda: self._put_in(mutant), self._allowed(tests))
            if failed is None:
                return (SURVIVED, "") if in_time else (TIMED_OUT, self._items[tests[0]].nodeid)
            at = tests.index(failed)
            if self._is_sound(failed) and (at == 0 or self._fails_alone(failed, mutant)):
                return (KILLED if in_time else TIMED_OUT), self._items[failed].nodeid
            tests = tests[at + 1 :]
        return SURVIVED, ""

    def _put_in(self, mutant: Mutant) -> None:
        tree = mutated(mutant, (ROOT / mutant.path).read_text())
        self._functions.replace(mutant.path, tree, (mutant.qualname, mutant.function_line))

    def _tests_of(self, mutant: Mutant) -> list[int]:
        """Those first whose file names what is changed, then those of its own file, then the quickest of each file."""
        seconds, own = self._reach.seconds, Path(mutant.path).stem
        words = set(re.findall(r"[A-Za-z_]{4,}", mutant.what if mutant.kind == "text" else mutant.qualname))
        files: Counter[Path] = Counter()
        ranked = list[tuple[int, bool, int, float, int]]()
        for at in sorted(self._reach.tests(mutant), key=lambda at: seconds[at]):
            path = self._items[at].path
            named = len(words & _words_of(path))
            ranked.append((-named, own not in path.stem, files[path], seconds[at], at))
            files[path] += 1
        left, most = (_MOST_SECONDS_AGAIN, len(ranked)) if self._options.again else (_MOST_SECONDS, _MOST_TESTS)
        chosen = list[int]()
        for *_, at in sorted(ranked)[:most]:
            left -= seconds[at]
            if chosen and left < 0:
                break
            chosen.append(at)
        return chosen

    def _allowed(self, tests: Sequence[int]) -> int:
        return 20 + int(4 * sum(self._reach.seconds[at] for at in tests))

    def _is_sound(self, at: int) -> bool:
        if at not in self._sound:
            self._sound[at] = _first_failed(self._items, [at], lambda: None, self._allowed([at])) == (None, True)
        return self._sound[at]

    def _fails_alone(self, at: int, mutant: Mutant) -> bool:
        verdict = _first_failed(self._items, [at], lambda: self._put_in(mutant), self._allowed([at]))
        return verdict != (None, True)


@cache
def _words_of(path: Path) -> frozenset[str]:
    return frozenset(re.findall(r"[A-Za-z_]{4,}", path.read_text()))


def _first_failed(
    items: list[pytest.Item], tests: Sequence[int], prepare: Callable[[], None], seconds: int
) -> tuple[int | None, bool]:
    """Run tests in a process of their own; return the first that fails or is not over in time, and if all were."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.close(read)
        silent()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
        prepare()
        for at in tests:
            os.write(write, f"{at}\n".encode())
            if not is_passed(items[at]):
                os._exit(1)
        os._exit(0)
    os.close(write)
    _, status = os.waitpid(child, 0)
    _end_group(child)
    with os.fdopen(read) as begun:
        last = int(begun.read().split()[-1])
    return (None if status == 0 else last), not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGALRM


def _end_group(leader: int) -> None:
    """End what a test has started and could not end any more."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def _read(path: Path, verdicts: set[str]) -> list[Mutant]:
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    fields = Mutant.__dataclass_fields__
    return [Mutant(**{name: line[name] for name in fields}) for line in lines if line["verdict"] in verdicts]


def table(lines: Iterable[str]) -> str:
    """Say for each folder and kind how many mutants were noticed; what was played again counts once."""
    verdicts: dict[str, tuple[Mutant, str]] = {}
    for entry in map(json.loads, lines):
        mutant = Mutant(**{name: entry[name] for name in Mutant.__dataclass_fields__})
        if verdicts.get(mutant.name, (mutant, ""))[1] not in (KILLED, TIMED_OUT):
            verdicts[mutant.name] = mutant, entry["verdict"]
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant, verdict in verdicts.values():
        for row in ("/".join(mutant.path.split("/")[:3]), mutant.kind, "~ all"):
            counted[row][verdict] += 1
    rows = [
        "| mutants of | sampled | killed | timed out | survived | unreached | noticed |",
        "|---|---|---|---|---|---|---|",
    ]
    for row, of in sorted(counted.items(), key=lambda entry: (not entry[0].startswith("functions"), entry[0])):
        noticed = f"{100 * (of[KILLED] + of[TIMED_OUT]) / of.total():.1f} %"
        figures = (of.total(), of[KILLED], of[TIMED_OUT], of[SURVIVED], of[UNREACHED], noticed)
        rows.append(f"| {row.removeprefix('~ ')} | {' | '.join(map(str, figures))} |")
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="Sample mutants, and say how many the unit tests notice.")
    parser.add_argument("--mutants", type=int, default=1_500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=7_200.0, help="begin no more after that time")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", action="append", help="a folder or file: functions/baton/sdk/tools/arguments.py")
    parser.add_argument("--out", type=Path, default=Path("/tmp/mutants.jsonl"), help="a line for each is added here")
    parser.add_argument(
        "--reach", type=Path, default=Path("/tmp/reach.jsonl"), help="which test reaches what is kept here"
    )
    parser.add_argument("--again", type=Path, help="only what survived there, by all tests that reach it")
    parser.add_argument("tests", nargs="*", help="folders or files of tests; else all unit tests")
    options = parser.parse_args()
    pytest.main(
        [
            "-q",
            "-m",
            "not long and not e2e",
            "-p",
            "no:cacheprovider",
            "-n",
            "0",
            "--tb=native",
            *(options.tests or ["tests/unit"]),
        ],
        plugins=[Mutating(options)],
    )
    print(table(options.out.read_text().splitlines()))  # noqa: T201 - it is a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
