"""Keys that the interpreter keeps or shows in another way: equal ones of an object, and those of a `KeyError`.

Invariant: it reads the syntax tree alone, so it finds what single lines say. Must not: follow names into other code.
"""

import ast
from collections.abc import Collection, Iterator, Sequence
from typing import Any

_NO_TEXTS = ("int", "float", "len", "bool", "tuple", "frozenset", "date")


def one_key(keys: Sequence[ast.expr | None]) -> str:
    """Return constants that are the same key of an object, but not the same value; empty: there are none."""
    seen = dict[Any, Any]()
    for key in (each.value for each in keys if isinstance(each, ast.Constant)):
        if type(before := seen.setdefault(key, key)) is not type(key):
            return f"{before!r} or {key!r}"
    return ""


def key_faults(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield where keys are the same key of an object, but not the same value, and keys of errors that are no texts."""
    stored, numbers = dict[str, list[ast.expr | None]](), _names_of_no_text(node)
    for each in ast.walk(node):
        match each:
            case ast.Subscript(value=owner, slice=key, ctx=ast.Store()):
                stored.setdefault(ast.unparse(owner), []).append(key)
            case ast.Assign(targets=[owner], value=ast.Dict(keys=keys)):
                stored.setdefault(ast.unparse(owner), []).extend(keys)
            case ast.Call(func=ast.Name(id="KeyError"), args=[key, *_]) if _is_no_text(key, numbers):
                what = "KeyError takes a text in a workflow, and shows it in quotes"
                yield each.lineno, f"{what}; write LookupError(…), or a text"
            case _:
                pass
    for owner_text, keys in stored.items():
        if same := one_key(keys):
            line = max(each.lineno for each in keys if each is not None)
            yield line, f"{same} is one key of {owner_text}, of which a workflow keeps the last; write one"


def _names_of_no_text(node: ast.AST) -> set[str]:
    """Return the variables and parameters that are never a text, as far as their own lines say."""
    numbers, others, seen = set[str](), set[str](), set[int]()
    for each in ast.walk(node):  # a statement comes before the names in it
        match each:
            case ast.arg(arg=name, annotation=kind):
                (numbers if isinstance(kind, ast.Name) and kind.id in _NO_TEXTS else others).add(name)
            case (
                ast.Assign(targets=[ast.Name(id=name) as target], value=value)
                | ast.NamedExpr(target=ast.Name(id=name) as target, value=value)
                | ast.For(target=ast.Name(id=name) as target, iter=ast.Call(func=ast.Name(id="range")) as value)
            ):
                seen.add(id(target))
                (numbers if isinstance(each, ast.For) or _is_no_text(value) else others).add(name)
            case ast.AugAssign(target=target):
                seen.add(id(target))
            case ast.Name(id=name, ctx=ast.Store()) if id(each) not in seen:
                others.add(name)
            case _:
                pass
    return numbers - others


def _is_no_text(node: ast.expr, numbers: Collection[str] = ()) -> bool:
    """Return whether it is never a text. `numbers`: names that are none."""
    match node:
        case ast.Name(id=name):
            return name in numbers
        case ast.Constant(value=value):
            return not isinstance(value, str)
        case ast.Call(func=ast.Name(id=name)):
            return name in _NO_TEXTS
        case _:
            return isinstance(node, ast.Tuple | ast.Compare | ast.UnaryOp)
