"""The text of a model's script for the interpreter: each mention of a function is marked with its line.

Invariant: lines stay where they are, and a script's author sees no mark. A marked call begins when it is made, gets
data alone, and notes that it is awaited. Must not: start an interpreter.
"""

import ast
import builtins
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

LINE = "baton_line"
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
"""
# Functions of the code, classes, calls that are not awaited, views of objects, iterators and what contains itself would
# leave the interpreter as texts.
DATA = """
_baton_tools = {}
_baton_kinds = ("function", "builtin_function_or_method", "type", "coroutine", "module")
_baton_views = ("range", "slice", "dict_keys", "dict_values", "dict_items", "generator", "EnumType")
_baton_data_of = ("datetime", "decimal", "collections")
_baton_classes = _baton_attributes = ()


def _baton_data(value, what):
    left, open_, seen = [(value, False)], set(), set()
    while left:
        one, is_left = left.pop()
        if is_left:
            open_.discard(id(one))
            continue
        kind = str(type(one))[8:-2]
        if kind in _baton_kinds:
            names = [f"function '{name}'" for (name, _), tool in _baton_tools.items() if tool is one]
            name = names[0] if names else repr(one)[1:-1].split(" at 0x")[0].replace(" external", "")
            name = name.replace("coroutine object _baton_call", "a call without await")
            raise TypeError(f"{what} has {name}, which is no data: call it, await it, or give its name as a text")
        module = kind.rpartition(".")[0]
        if kind in _baton_views or kind.endswith("iterator") or (module and module not in _baton_data_of):
            raise TypeError(f"{what} has a {kind}, which is no data: give a list of it, or a text about it")
        is_object = kind in _baton_classes or hasattr(one, "__dataclass_fields__")
        if not is_object and not isinstance(one, (dict, list, tuple, set, frozenset)):
            continue
        if id(one) in open_:
            raise TypeError(f"{what} has a {kind} that contains itself, which is no data: give a copy without it")
        if id(one) in seen:
            continue
        seen.add(id(one))
        open_.add(id(one))
        left.append((one, True))
        if is_object:
            names = set(getattr(one, "__dataclass_fields__", ())) | {n for n in _baton_attributes if hasattr(one, n)}
            inner = [getattr(one, name) for name in sorted(names)]
            # A function leaves with the name of its field, which is said.
            inner = [each for each in inner if str(type(each))[8:-2] not in _baton_kinds]
        else:
            inner = one.values() if isinstance(one, dict) else one
        left.extend([(each, False) for each in inner if not isinstance(each, (str, int, float))])
    return value


def baton_result(value):
    return _baton_data(value, "the result")
"""
_PRELUDE = f"""{DATA}
_baton_open = {{}}


async def _baton_call(key, future):
    _baton_open.pop(key, None)
    return await future


def baton_tool(function, name, line):
    if not repr(function).endswith(" external>") or isinstance(function, str):
        return function
    if (name, line) in _baton_tools:
        return _baton_tools[(name, line)]

    def _baton_called(*args, **kwargs):
        _baton_data([args, kwargs], f"{{name}}: an argument")
        future = function(*args, {LINE}=line, **kwargs)
        key = str(future)
        _baton_open[key] = f"{{name}}() in line {{line}}"
        return _baton_call(key, future)

    _baton_tools[(name, line)] = _baton_called
    return _baton_called
"""
NEVER_AWAITED = "list(_baton_open.values())"
_MARKS = (re.compile(r"baton_tool\((\w+), '\w+', \d+\)"), re.compile(r"baton_result\((.*)\)"))
_FRAMES = re.compile(r'  File "[^"]+", line \d+, in _?baton_\w+\n(?:    .*\n)*')
_CARETS = re.compile(r"^ +[~^]+\n", re.MULTILINE)
# Line, column in bytes, order at that place, text.
_Inserted = tuple[int, int, int, str]


def attributes_in(*codes: str) -> str:
    """Return the text that names the classes of these codes, and what they keep in instances: nothing else tells."""
    classes, names = dict[str, None](), dict[str, None]()
    for code in codes:
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            for node in ast.walk(ast.parse(code)):
                match node:
                    case ast.ClassDef(name=name):
                        classes[name] = None
                    case ast.Attribute(attr=name, ctx=ast.Store()):
                        names[name] = None
                    case _:
                        pass
    return f"_baton_classes = {tuple(classes)!r}\n_baton_attributes = {tuple(names)!r}\n"


def before(code: str) -> list[str]:
    """Return what goes before a script; what is ours is not checked."""
    return ["import asyncio", _PRELUDE + attributes_in(code)]


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
    if "baton_" not in shown:
        return shown
    shown = _CARETS.sub("", _FRAMES.sub("", shown))
    for mark in _MARKS:
        shown = mark.sub(r"\1", shown)
    return shown


def _inserted(tree: ast.Module, functions: Collection[str]) -> Iterator[_Inserted]:
    """Yield the texts with their places."""
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        yield from _result(last.value)
    within: list[tuple[ast.AST, bool]] = [(tree, True)]
    while within:
        node, is_top = within.pop()
        match node:
            case ast.JoinedStr():  # Python 3.11 has no places of what is inside
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
