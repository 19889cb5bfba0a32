"""The text of a model's script for the interpreter: each mention of a function is marked with its line.

Invariant: lines stay where they are, and a script's author sees no mark. Must not: start an interpreter.
"""

import ast
import builtins
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from baton.sdk.code_mode.prelude import OURS

NOT_RUN = "The script was not run, and made no call:"
# Of the checker's faults; another one may be its own error, and the run finds it.
_MISFITS = (
    *("missing-argument", "parameter-already-assigned", "too-many-positional-arguments", "unknown-argument"),
    *("unresolved-import", "unused-awaitable"),
)
STUBS = """
from typing import Any, TypeVar
BatonT = TypeVar("BatonT")
def baton_tool(function: BatonT, name: str, line: int) -> BatonT: ...
def baton_result(value: BatonT) -> BatonT: ...
def baton_at(line: int) -> None: ...
"""
LEFT = "baton_left()"
_MARKS = (
    re.compile(r"baton_tool\((\w+), '\w+', \d+\)"),
    re.compile(r"\(baton_at\(\d+\) or (.*?) or ''\)"),
    re.compile(r"baton_result\((.*)\)"),
)
_FRAMES = re.compile(rf'  File "{OURS}", line \d+, in \w+\n(?:    .*\n)*')
_CARETS = re.compile(r"^ +[~^]+\n", re.MULTILINE)
# Line, column in bytes, order at that place, text.
_Inserted = tuple[int, int, int, str]


def marked(code: str, functions: Collection[str]) -> str:
    """Return a script with its functions and its result marked; one that cannot be read will be refused, as it is."""
    try:
        found = sorted(_inserted(ast.parse(code), functions), reverse=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code
    lines = [line.encode() for line in re.split(r"(?<=\n)|(?<=\r)(?!\n)", code)]
    for line, column, _, text in found:
        whole = lines[line - 1]
        lines[line - 1] = whole[:column] + text.encode() + whole[column:]
    return b"".join(lines).decode()


def unmarked(shown: str) -> str:
    """Return a traceback without marks."""
    if "baton_" not in shown and OURS not in shown:
        return shown
    shown = _CARETS.sub("", _FRAMES.sub("", shown))
    for mark in _MARKS:
        shown = mark.sub(r"\1", shown)
    return shown


def _inserted(tree: ast.Module, functions: Collection[str]) -> Iterator[_Inserted]:
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        yield from _result(last.value)
    within: list[tuple[ast.AST, bool]] = [(tree, True)]
    while within:
        node, is_top = within.pop()
        match node:
            case ast.JoinedStr():  # Python 3.11 has no places of what is inside
                if any(isinstance(each, ast.Name) and each.id in functions for each in ast.walk(node)):
                    yield from _around(node, f"(baton_at({node.lineno}) or ", " or '')", 1)
                continue
            case ast.Name(id=name, ctx=ast.Load()) if name in functions:
                yield from _around(node, "baton_tool(", f", {name!r}, {node.lineno})", 1)
            case ast.Return(value=ast.expr() as value) if is_top:
                yield from _result(value)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                is_top = False
            case _:
                pass
        within += [(child, is_top) for child in ast.iter_child_nodes(node)]


def _result(value: ast.expr) -> list[_Inserted]:
    ends = ("baton_result((", "))") if isinstance(value, ast.Tuple) else ("baton_result(", ")")  # maybe without its own
    return _around(value, *ends, 0)


def unawaited(code: str, functions: Collection[str]) -> list[str]:
    """Return the calls that a text in braces takes for their results; no mark is there that would tell."""
    try:
        texts = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.JoinedStr)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [
        f"script.py, line {node.lineno}: {name}() is not awaited"
        for node in texts
        for each in node.values
        if (name := _called(each)) in functions
    ]


def _called(node: ast.expr) -> str:
    match node:
        case ast.FormattedValue(value=ast.Call(func=ast.Name(id=name))):
            return name
        case _:
            return ""


def _around(node: ast.expr, before: str, after: str, depth: int) -> list[_Inserted]:
    assert node.end_lineno is not None, "a parsed node has an end"
    assert node.end_col_offset is not None, "as above"
    return [(node.lineno, node.col_offset, depth, before), (node.end_lineno, node.end_col_offset, -depth, after)]


def misfits(error: Any) -> list[str]:
    """Return the faults of a script that would come true: the checker does not know all that works."""
    found = [one for one in json.loads(error.display()) if _is_misfit(one)]
    is_python = not any(one["name"] == "invalid-syntax" for one in found)
    faults = [f"script.py, line {one['location']['row']}: {one['message']}" for one in found]
    return faults if is_python else [*faults, "Send Python alone: no words and no fences around it."]


def _is_misfit(fault: Mapping[str, Any]) -> bool:
    kind, message = fault["name"], fault["message"]
    if kind == "invalid-syntax":
        return not message.startswith("`return` statement outside")
    if kind == "unresolved-reference":
        return not any(f"`{name}`" in message for name in dir(builtins))
    if kind == "invalid-argument-type":  # a type that is not known for sure may fit
        return not any(vague in message.partition("found")[2] for vague in ("|", "Any", "Unknown", "object", "None"))
    return kind in _MISFITS or "CoroutineType" in message


def bound(names: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call by name. Raises TypeError, as Python does."""
    if len(args) > len(names):
        raise TypeError(f"it takes {len(names)} arguments by position, but {len(args)} were given")
    given = dict(zip(names, args, strict=False))
    for name in kwargs:
        if name in given:
            raise TypeError(f"got multiple values for argument {name!r}")
    return {**given, **kwargs}
