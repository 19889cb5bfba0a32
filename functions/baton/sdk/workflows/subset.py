"""The check of code against the interpreter's subset of Python, and the free names of a piece of code.

Invariant: it reads the syntax tree alone: no process starts, and no code runs. A fault has the line, what stands there,
and what to do instead. Must not: follow names, which `code` does.
"""

import ast
import builtins
import inspect
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any, TypeAlias

from baton.sdk.records.limits import MODULES
from baton.sdk.workflows.keys import key_faults, one_key
from baton.sdk.workflows.lacking import (
    LACKING_ARGUMENTS,
    LACKING_ATTRIBUTES,
    SPECIAL_METHODS,
    TOOL,
    is_lacking_exception,
    is_method,
    is_no_value,
    way_around,
    way_without,
)
from baton.sdk.workflows.rewriting import is_task_group
from baton.sdk.workflows.substitutes import STANDARD

_CONSTRUCTS: dict[type[ast.AST], str] = {
    ast.AsyncFor: "async for",
    ast.AsyncWith: "async with",
    ast.Yield: "yield",
    ast.YieldFrom: "yield from",
    ast.TryStar: "except*",
}
_ASYNCIO = {
    "wait_for": "give a tool its timeout_seconds, or a wait its own",
    "timeout": "give a tool its timeout_seconds, or a wait its own",
    "TaskGroup": "write async with asyncio.TaskGroup() as group: with its body on lines of its own",
    "create_task": "use await asyncio.gather(…); a branch that runs on alone is a @workflow",
    "ensure_future": "use await asyncio.gather(…); a branch that runs on alone is a @workflow",
    "wait": "use await asyncio.gather(…)",
    "as_completed": "use await asyncio.gather(…)",
    "TimeoutError": "write TimeoutError, which is the same",
    "CancelledError": "leave it out: a cancelled job ends at once, and its code does not go on",
}
_ASYNCIO_WORKS = ("gather", "sleep")
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Fault: TypeAlias = tuple[int, str]


def faults_of(node: ast.AST, *, is_top: bool = False) -> Iterator[Fault]:
    """Yield the faults of a function or class with their lines. `is_top`: its decorator makes it a workflow."""
    bound, groups = bound_in(node), _task_groups(node)
    yield from key_faults(node)
    for each in _parts(node):
        line = getattr(each, "lineno", 0)
        if each in groups:
            continue
        yield from _expression_faults(each, line)
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


def _expression_faults(node: ast.AST, line: int) -> Iterator[Fault]:
    """Yield what a part of the code asks for that no substitute gives."""
    match node:
        case ast.Delete():
            yield from _delete_faults(node)
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp() if any(
            each.is_async for each in node.generators
        ):
            yield line, f"an async comprehension is not possible in a workflow; {TOOL}"
        case ast.GeneratorExp() if any(isinstance(each, ast.NamedExpr) for each in ast.walk(node)):
            yield line, "a := in a generator expression is not possible in a workflow; write a loop"
        case ast.Call() if text := _call_fault(node):
            yield line, text
        case ast.Dict(keys=keys) if same := one_key(keys):
            yield line, f"{same} is one key, of which a workflow keeps the last; write one"
        case ast.Compare(left=ast.Call(func=ast.Name(id="type")), comparators=[kind]) if _is_exception(kind):
            yield line, "type(…) is no exception's class in a workflow; ask isinstance(…)"
        case ast.Attribute(attr=name) if name in LACKING_ATTRIBUTES:
            yield line, f".{name} is not possible in a workflow; {way_without(name)}"
        case _:
            pass


def _task_groups(node: ast.AST) -> set[ast.AST]:
    """Return the task groups that are possible, each with the name of its class."""
    found = [each for each in ast.walk(node) if is_task_group(each)]
    return {part for each in found for part in (each, each.items[0].context_expr.func)}  # type: ignore[attr-defined]


def _delete_faults(node: ast.Delete) -> Iterator[Fault]:
    for target in node.targets:
        match target:
            case ast.Subscript():
                pass
            case ast.Attribute():
                yield node.lineno, "del of an attribute is not possible in a workflow; set it to None"
            case _:
                yield (
                    node.lineno,
                    "del of a name is not possible in a workflow; leave it out: it ends with its function",
                )


def _call_fault(node: ast.Call) -> str:
    given = len(node.args) + len(node.keywords)
    if given > 1 and (_is_exception(node.func) or getattr(node.func, "id", "") == "ToolError"):
        return "an exception has one text in a workflow; write its values into it"
    called = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if odd := [each.arg for each in node.keywords if each.arg in LACKING_ARGUMENTS.get(called, ())]:
        return f"{called}({odd[0]}=…) is not possible in a workflow; {TOOL}"
    match node:
        case ast.Call(func=ast.Attribute(attr="union" | "intersection" | "difference"), args=args) if _is_not_one(args):
            text = f".{called}() takes one set in a workflow; join sets by |, & or -"
        case ast.Call(func=ast.Attribute(attr="update"), args=[_, _, *_]):
            text = ".update() takes one set in a workflow; write |="
        case ast.Call(func=ast.Attribute(attr="start" | "end" | "span"), args=[ast.Constant(value=str())]):
            text = f".{called}() of a group takes its number in a workflow, not its name"
        case ast.Call(func=ast.Name(id="hasattr" | "getattr"), args=[_, ast.Constant(value=str(own)), *_]) if is_method(
            own
        ):
            text = f"{called}(…, {own!r}) does not find a method in a workflow; ask isinstance(…)"
        case _:
            text = ""
    return text


def _is_not_one(args: list[ast.expr]) -> bool:
    return len(args) != 1 or isinstance(args[0], ast.Starred)


def _is_exception(function: ast.expr) -> bool:
    known = getattr(builtins, function.id, None) if isinstance(function, ast.Name) else None
    return isinstance(known, type) and issubclass(known, BaseException)


def bound_in(node: ast.AST) -> set[str]:
    """Return the names of parameters and variables: theirs are no attributes of a module or of a type."""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load)}
    functions = {each.name for each in ast.walk(node) if isinstance(each, Function) and each is not node}
    return names | functions | {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}


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
            if node.module == "re" and (node.module, each.name) in STANDARD:
                what = f"from re import {each.name} in a function is less than Python's in a workflow"
                yield node.lineno, f"{what}; import it at the top of the file"


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


def node_of(tree: ast.Module, value: Any) -> ast.stmt | None:
    """Return the syntax of a function, found by its first line, or of a class, by its qualified name."""
    name = value.__name__
    if isinstance(value, FunctionType):
        first = value.__code__.co_firstlineno
        found = [each for each in ast.walk(tree) if isinstance(each, Function) and each.name == name]
        return next(
            (each for each in found if min((one.lineno for one in each.decorator_list), default=each.lineno) == first),
            None,
        )
    return next(
        (each for each in reversed(list(ast.walk(tree))) if isinstance(each, ast.ClassDef) and each.name == name), None
    )


def first_line(node: ast.stmt) -> int:
    """Return the line where a function or class begins, with its decorators."""
    first: int = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
    return first


def is_decorated(node: ast.stmt | None) -> bool:
    """Return whether a data class or model has a decorator that does more than make it one."""
    named = (ast.unparse(each).partition("(")[0] for each in getattr(node, "decorator_list", ()))
    return any(not name.endswith("dataclass") for name in named)


def scope_of(value: Any) -> Mapping[str, Any]:
    """Return the names of modules and of functions around that a function or class sees."""
    if not isinstance(value, FunctionType):
        module = inspect.getmodule(value)
        return vars(module) if module else {}
    inner = inspect.getclosurevars(value).nonlocals
    return {**value.__globals__, **inner} if inner else value.__globals__


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def free_names(node: ast.AST) -> dict[str, int]:
    """Return the names that a function or class takes from outside, with the first line of each."""
    free = _free_inside(node)
    for default in _defaults(node):  # evaluated outside
        free |= free_names(ast.Expression(default))
    return free


def _free_inside(node: ast.AST) -> dict[str, int]:
    loads, bound, of_methods = dict[str, int](), set[str](), dict[str, int]()
    arguments = getattr(node, "args", None)
    if isinstance(arguments, ast.arguments):
        bound |= {each.arg for each in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
        bound |= {each.arg for each in (arguments.vararg, arguments.kwarg) if each is not None}
    for child in _children(node):
        if isinstance(node, ast.ClassDef) and isinstance(child, Function):  # it does not see the class's own names
            of_methods |= _free_inside(child)
            bound.add(child.name)
            for default in _defaults(child):
                _collect(default, loads, bound)
        else:
            _collect(child, loads, bound)
    for each in ast.walk(node):
        if isinstance(each, ast.Global):
            bound.difference_update(each.names)
    return of_methods | {name: line for name, line in loads.items() if name not in bound}


def _defaults(node: ast.AST) -> list[ast.expr]:
    arguments = getattr(node, "args", None)
    given = [*arguments.defaults, *arguments.kw_defaults] if isinstance(arguments, ast.arguments) else []
    return [each for each in given if each is not None]


def _children(node: ast.AST) -> Iterator[ast.AST]:
    skipped = ("annotation", "returns", "type_params", "args" if isinstance(node, _SCOPES) else "")
    decorators = () if isinstance(node, ast.ClassDef) else ("decorator_list",)  # those of a class do run
    for name, value in ast.iter_fields(node):
        if name not in (*skipped, *decorators):
            yield from (each for each in (value if isinstance(value, list) else [value]) if isinstance(each, ast.AST))


def _names_bound_by(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from ((each.asname or each.name).split(".")[0] for each in names)
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.MatchMapping(rest=str(name)):
            yield name
        case ast.ListComp() | ast.SetComp() | ast.DictComp():  # := there is a variable of the function
            yield from (each.target.id for each in ast.walk(node) if isinstance(each, ast.NamedExpr))
        case _:
            pass


def _collect(node: ast.AST, loads: dict[str, int], bound: set[str]) -> None:
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Load):
            loads.setdefault(node.id, node.lineno)
        else:
            bound.add(node.id)
        return
    bound.update(_names_bound_by(node))
    if isinstance(node, (*_SCOPES, ast.ClassDef)):
        for name, line in free_names(node).items():
            loads.setdefault(name, line)
        return
    for child in _children(node):
        _collect(child, loads, bound)
