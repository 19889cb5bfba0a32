"""The check of code against the interpreter's subset of Python, and the free names of a piece of code.

Invariant: it reads the syntax tree alone: no process starts, and no code runs. A fault has the line, what stands there,
and what to do instead. Must not: follow names, which `code` does.
"""

import ast
from collections.abc import Iterator
from typing import Any, TypeAlias

from baton.sdk.workflows.lacking import SPECIAL_METHODS, TOOL, is_lacking_exception, is_no_value, way_around

MODULES = frozenset(
    {
        *("asyncio", "base64", "collections", "dataclasses", "datetime", "decimal", "functools", "hashlib"),
        *("itertools", "json", "math", "random", "re", "time", "typing"),
    }
)
_CONSTRUCTS: dict[type[ast.AST], str] = {
    ast.AsyncFor: "async for",
    ast.AsyncWith: "async with",
    ast.Yield: "yield",
    ast.YieldFrom: "yield from",
    ast.Delete: "del",
    ast.TryStar: "except*",
}
_ASYNCIO = {
    "wait_for": "give a tool its timeout_seconds, or a wait its own",
    "timeout": "give a tool its timeout_seconds, or a wait its own",
    "TaskGroup": "use await asyncio.gather(…)",
    "create_task": "use await asyncio.gather(…); a branch that runs on alone is a @workflow",
    "ensure_future": "use await asyncio.gather(…); a branch that runs on alone is a @workflow",
    "wait": "use await asyncio.gather(…)",
    "as_completed": "use await asyncio.gather(…)",
}
_ASYNCIO_WORKS = ("gather", "sleep")
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Fault: TypeAlias = tuple[int, str]


def faults_of(node: ast.AST, *, is_top: bool = False) -> Iterator[Fault]:
    """Yield the faults of a function or class with their lines. `is_top`: its decorator makes it a workflow."""
    bound = _bound_in(node)
    for each in _parts(node):
        line = getattr(each, "lineno", 0)
        if type(each) in _CONSTRUCTS or type(each).__name__ == "TypeAlias":
            yield line, f"{_CONSTRUCTS.get(type(each), 'type X = …')} is not possible in a workflow; {TOOL}"
        elif isinstance(each, ast.Import | ast.ImportFrom):
            yield from _import_faults(each)
        elif isinstance(each, ast.ClassDef):
            yield from _class_faults(each)
        elif isinstance(each, Function) and each.decorator_list and not (is_top and each is node):
            yield line, f"a decorated function or method ({each.name}) is not possible in a workflow; {TOOL}"
        elif isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id not in bound:
            for text in attribute_faults(each.value.id, each.attr):
                yield line, text


def _bound_in(node: ast.AST) -> set[str]:
    """Return the names of parameters and variables: theirs are no attributes of a module or of a type."""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load)}
    return names | {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}


def _class_faults(node: ast.ClassDef) -> Iterator[Fault]:
    if node.bases or node.keywords:
        yield node.lineno, f"class {node.name} inherits, which is not possible in a workflow; a dataclass is possible"
    for each in node.body:
        if isinstance(each, Function) and is_unheard(each.name):
            yield each.lineno, unheard(node.name, each.name)


def is_unheard(method: str) -> bool:
    """Return whether it is a method that Python calls by itself, and the interpreter does not."""
    return method.startswith("__") and method.endswith("__") and method not in SPECIAL_METHODS


def unheard(owner: str, method: str) -> str:
    """Return the fault of such a method."""
    return f"{owner}.{method} is not called in a workflow; give it another name, and call it"


def _import_faults(node: ast.Import | ast.ImportFrom) -> Iterator[Fault]:
    named = [node.module or "."] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
    for name in named:
        if name not in MODULES:
            yield node.lineno, f"import of {name!r} is not possible in a workflow; {TOOL}"
    if isinstance(node, ast.ImportFrom) and node.module:
        for each in node.names:
            for text in attribute_faults(node.module, each.name):
                yield node.lineno, text


def attributes_of(node: ast.AST, name: str) -> Iterator[ast.Attribute]:
    """Yield where an attribute of this name's value is read or written."""
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == name:
            yield each


def attribute_faults(module: str, name: str) -> Iterator[str]:
    """Yield why a name of a module cannot be used."""
    if module == "asyncio" and name not in _ASYNCIO_WORKS:
        yield f"asyncio.{name} is not possible in a workflow; {_ASYNCIO.get(name, TOOL)}"
    if way := way_around(f"{module}.{name}"):
        yield f"{module}.{name} is not possible in a workflow; {way}"
    if is_no_value(module, name):
        yield f"{module}.{name} is not possible in a workflow; call {name}() of the value, or write a lambda that does"


def builtin_fault(name: str) -> str:
    """Return why a name of Python's own cannot be used; empty: it can."""
    way = way_around(name)
    call = name if is_lacking_exception(name) else f"{name}()"
    return f"{call} is not possible in a workflow; {way}" if way else ""


def parameter_faults(node: Function) -> Iterator[Fault]:
    """Yield the parameters of a workflow that no input can fill."""
    for each in (node.args.vararg, node.args.kwarg):
        if each is not None:
            yield node.lineno, f"parameter *{each.arg} is not possible in a workflow; name each parameter"


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all below it, but for annotations and decorators, which do not run."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, ast.AST):
                yield from _parts(each)


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def free_names(node: ast.AST) -> dict[str, int]:
    """Return the names that a function or class takes from outside, with the first line of each."""
    loads, bound = dict[str, int](), set[str]()
    arguments = getattr(node, "args", None)
    if isinstance(arguments, ast.arguments):
        bound |= {each.arg for each in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
        bound |= {each.arg for each in (arguments.vararg, arguments.kwarg) if each is not None}
    for child in _children(node):
        _collect(child, loads, bound)
    for each in ast.walk(node):
        if isinstance(each, ast.Global):
            bound.difference_update(each.names)
    free = {name: line for name, line in loads.items() if name not in bound}
    defaults = [*arguments.defaults, *arguments.kw_defaults] if isinstance(arguments, ast.arguments) else []
    for default in defaults:  # evaluated outside
        if default is not None:
            free |= free_names(ast.Expression(default))
    return free


def _children(node: ast.AST) -> Iterator[ast.AST]:
    skipped = ("annotation", "returns", "type_params", "args" if isinstance(node, _SCOPES) else "")
    decorators = () if isinstance(node, ast.ClassDef) else ("decorator_list",)  # those of a class do run
    for name, value in ast.iter_fields(node):
        if name not in (*skipped, *decorators):
            yield from (each for each in (value if isinstance(value, list) else [value]) if isinstance(each, ast.AST))


def _collect(node: ast.AST, loads: dict[str, int], bound: set[str]) -> None:
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Load):
            loads.setdefault(node.id, node.lineno)
        else:
            bound.add(node.id)
        return
    if isinstance(node, Function | ast.ClassDef):
        bound.add(node.name)
    elif isinstance(node, ast.Import | ast.ImportFrom):
        bound.update((each.asname or each.name).split(".")[0] for each in node.names)
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        bound.add(node.name)
    if isinstance(node, (*_SCOPES, ast.ClassDef)):
        for name, line in free_names(node).items():
            loads.setdefault(name, line)
        return
    for child in _children(node):
        _collect(child, loads, bound)


def gathers(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the functions of calls of `gather` that have named arguments."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and each.keywords and _named(each.func) == "gather":
            yield each.func


def _named(function: Any) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr if isinstance(function.value, ast.Name) and function.value.id == "asyncio" else ""
    return function.id if isinstance(function, ast.Name) else ""
