"""Change the scripts of the store in one place each, and say which changes no contract test notices.

`python -m tests.mutation.scripts [--only SCRIPT] [--lines N…]`: each survivor is printed; scripts.md explains them.
A condition is turned round, or a part of it; a bound moves by one; texts that are joined, and statements, change
places; a statement is left out. The tests are those of the contract, over a Redis in this process, until one fails:
the quickest killers first. No file changes.
"""

import argparse
import asyncio
import inspect
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import product
from typing import Any

from baton.store.redis.connection import _lua
from baton.store.redis.in_process.server import lua
from tests.contract.store.planted import Defect, planted_connection
from tests.contract.store.side import side_over

_RULE = ("test_slot_rule", "test_admission", "test_sweeps", "test_call_limits")
_BUDGETS = ("test_budgets",)
TESTS = {
    "members": _RULE,
    "semaphore": _RULE,
    "budget": _BUDGETS,
    "reserve": _BUDGETS,
    "settle": _BUDGETS,
    "commit": ("test_compare_and_write",),
    "counted": ("test_planted",),
}
_TOKEN = re.compile(r"--.*|'(?:\\.|[^'\\])*'|[A-Za-z_]\w*|\d+|\.\.\.|\.\.|[=~<>]=|.", re.DOTALL)
_OTHER = {
    "==": "~=",
    "~=": "==",
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "and": "or",
    "or": "and",
    "not": "",
    "true": "false",
    "false": "true",
    "+": "-",
    "-": "+",
}
_CONDITION = re.compile(r"^(\s*(?:if|elseif|while) )(.*)( (?:then|do))$")
_WHOLE = re.compile(
    r"^ +(?! |local |return\b|end|else|if |for |while |elseif |function )[\w.\[\]', :]+(\(|= ?).*[^,({]$"
)
_OPENS, _CLOSES = "({[", ")}]"
_ENDS_OPERAND = frozenset((",", "..", "=", "and", "or", "return", "==", "~=", "<", ">", "<=", ">="))


@dataclass(frozen=True, slots=True)
class Mutant:
    line: int
    what: str
    text: str


def mutants_of(source: str) -> Iterator[Mutant]:
    """Each change of a script, line by line."""
    lines = source.split("\n")
    for at in range(len(lines)):
        for what, new in _changes(lines, at):
            text = "\n".join([*lines[:at], *new, *lines[at + len(new) :]])
            if _is_lua(text):
                yield Mutant(at + 1, what, text)


def _is_lua(text: str) -> bool:
    try:
        lua()._lua.compile(text)
    except lua()._error:
        return False
    return True


def _changes(lines: list[str], at: int) -> Iterator[tuple[str, list[str]]]:
    line = lines[at]
    for new in _changed_tokens(line):
        yield new.strip(), [new]
    if condition := _CONDITION.match(line):
        before, asked, after = condition.groups()
        if " do" not in after:
            yield f"not ({asked})", [f"{before}not ({asked}){after}"]
    if _is_whole(line):
        yield f"without {line.strip()}", [""]
        following = lines[at + 1] if at + 1 < len(lines) else ""
        if _is_whole(following) and _indent(line) == _indent(following):
            yield f"{following.strip()} before {line.strip()}", [following, line]


def _changed_tokens(line: str) -> Iterator[str]:
    tokens = _TOKEN.findall(line)
    for at, token in enumerate(tokens):
        number = int(token) if token.isdigit() else None
        others = [_OTHER[token]] if token in _OTHER else [str(number + 1)] if number is not None else []
        if number:
            others.append(str(number - 1))
        for other in others:
            yield "".join([*tokens[:at], other, *tokens[at + 1 :]])
        if token == "..":
            yield _swapped(tokens, at)


def _swapped(tokens: list[str], at: int) -> str:
    """The line with the two texts beside this joint in each other's place."""
    first, last = _end(tokens, at, -1), _end(tokens, at, 1)
    left, right = "".join(tokens[first + 1 : at]).strip(), "".join(tokens[at + 1 : last]).strip()
    return f"{''.join(tokens[: first + 1])} {right} .. {left} {''.join(tokens[last:])}"


def _end(tokens: list[str], at: int, step: int) -> int:
    """Where the operand beside this joint ends."""
    depth, at = 0, at + step
    while 0 <= at < len(tokens):
        depth += step * ((tokens[at] in _OPENS) - (tokens[at] in _CLOSES))
        if depth < 0 or (depth == 0 and tokens[at] in _ENDS_OPERAND):
            break
        at += step
    return at


def _is_whole(line: str) -> bool:
    """Whether a line is one whole statement that changes something."""
    return bool(_WHOLE.match(line)) and all(
        line.count(a) == line.count(b) for a, b in zip(_OPENS, _CLOSES, strict=True)
    )


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _tests(modules: tuple[str, ...]) -> dict[str, Callable[[Any], Any]]:
    """The tests of these modules that need nothing but a side, a connection, or a store of limits, by name."""
    found = dict[str, Callable[[Any], Any]]()
    for name in modules:
        module = import_module(f"tests.contract.store.{name}")
        make = {"side": side_over, "redis": lambda connection: connection, "world": getattr(module, "World", None)}
        for test_name, test in inspect.getmembers(module, inspect.iscoroutinefunction):
            if test_name.startswith("test_"):
                for given in _given(test):
                    [*needs] = set(inspect.signature(test).parameters) - given.keys()
                    if len(needs) == 1 and needs[0] in make:
                        label = f"{name}::{test_name}{[*given.values()] or ''}"
                        found[label] = partial(_run, test, needs[0], make[needs[0]], given)
    return found


def _given(test: Any) -> Iterator[dict[str, Any]]:
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    for chosen in product(*(mark.args[1] for mark in marks)):
        given = dict[str, Any]()
        for mark, value in zip(marks, chosen, strict=True):
            names = mark.args[0].split(",") if isinstance(mark.args[0], str) else [*mark.args[0]]
            values = getattr(value, "values", None) or (value if len(names) > 1 else (value,))
            given |= dict(zip(map(str.strip, names), values, strict=True))
        yield given


def _run(test: Any, name: str, make: Any, given: dict[str, Any], connection: Any) -> None:
    asyncio.run(asyncio.wait_for(test(**{name: make(connection)}, **given), 20))


def verdicts(name: str, lines: Sequence[int]) -> Iterator[tuple[Mutant, str]]:
    """Each mutant of a script with the test that kills it; empty: it survives."""
    source, tests, kills = _lua(name), _tests(TESTS[name]), Counter[str]()
    usable = [test for test in tests if not _killer(Defect("none", source, source, ""), {test: tests[test]}, kills)]
    for mutant in mutants_of(source):
        if not lines or mutant.line in lines:
            quick = {test: tests[test] for test in sorted(usable, key=lambda one: -kills[one])}
            killer = _killer(Defect(mutant.what, source, mutant.text, ""), quick, kills)
            yield mutant, killer


def _killer(defect: Defect, tests: dict[str, Callable[[Any], Any]], kills: Counter[str]) -> str:
    for name, test in tests.items():
        connection, _ = planted_connection(defect)
        try:
            test(connection)
        except Exception:  # noqa: BLE001 - by whatever it notices
            kills[name] += 1
            return name
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description="Change the scripts of the store in one place each.")
    parser.add_argument("--only", choices=TESTS)
    parser.add_argument("--lines", type=int, nargs="*", default=())
    options = parser.parse_args()
    for name in [options.only] if options.only else TESTS:
        began_at, killed = time.monotonic(), list[bool]()
        for mutant, killer in verdicts(name, options.lines):
            killed.append(bool(killer))
            if not killer:
                print(f"{name}.lua:{mutant.line}: {mutant.what}", flush=True)  # noqa: T201 - it is a command
        seconds = time.monotonic() - began_at
        print(f"{name}.lua: {sum(killed)} of {len(killed)} killed in {seconds:.0f} s")  # noqa: T201 - likewise
    return 0


if __name__ == "__main__":
    sys.exit(main())
