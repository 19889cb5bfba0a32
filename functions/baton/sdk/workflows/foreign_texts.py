"""What code asks of values that are texts inside of a workflow alone, such as a UUID, and that no text has.

Invariant: such a value is known by the annotation of its field, parameter or tool. Must not: run code.
"""

import ast
import ipaddress
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Any
from uuid import UUID

import pydantic

from baton.sdk.tools.tool import Tool
from baton.sdk.workflows.model_classes import fields_of, unwrapped

_URLS = tuple(kind.__mro__[-2] for kind in (pydantic.AnyUrl, pydantic.PostgresDsn))  # of one host, of several
_ADDRESSES = (ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network, ipaddress.IPv6Network)
_FOREIGN = (UUID, PurePath, *_ADDRESSES, *_URLS)


def foreign_faults(
    piece: ast.AST, scope: Mapping[str, Any], models: Iterable[type], own: Collection[str]
) -> Iterator[tuple[int, str]]:
    """Yield the faults of a function or class with their lines. `own`: attributes of the code's own classes."""
    fields = {name: kind for name, kind in _fields_of(models).items() if name not in own}
    names = _names_in(piece, scope, fields)
    for node in ast.walk(piece):
        for asked_of, what in _asked(node):
            if kind := _known(asked_of, names, fields):
                shown = ast.unparse(asked_of)
                text = f"{shown} is a {kind}, which is a text in a workflow: {what}, or do it in a @tool"
                yield asked_of.lineno, text


def _fields_of(models: Iterable[type]) -> dict[str, str]:
    """Return the fields that are such texts in each model that has them, with their type."""
    found = dict[str, set[str]]()
    for model in models:
        for name, *_, hint in fields_of(model):
            found.setdefault(name, set()).add(_kind_of(hint))
    return {name: min(kinds) for name, kinds in found.items() if min(kinds)}


def _asked(node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """Yield the values that this asks for more than their text, and what to do instead."""
    match node:
        case ast.Attribute(value=owner, attr=name):
            yield owner, f"it has no .{name}; write str(…)"
        case ast.Subscript(value=owner):
            yield owner, "its parts are those of str(…); write that"
        case ast.BinOp(left=left, op=ast.Div() | ast.Add(), right=right):
            yield from ((each, "it is joined to nothing; write an f-string") for each in (left, right))
        case ast.Call(func=ast.Name(id="isinstance"), args=[value, _]):
            yield value, "isinstance(…) takes it for one; leave that out"
        case ast.Compare(left=left, comparators=[right]):
            for one, other in ((left, right), (right, left)):
                if isinstance(other, ast.JoinedStr) or isinstance(getattr(other, "value", None), str):
                    yield one, "it equals its text; compare str(…)"
        case _:
            pass


def _known(node: ast.expr, names: Mapping[str, str], fields: Mapping[str, str]) -> str:
    """Return the type of a value, if it is such a text."""
    match node:
        case ast.Name(id=name):
            return names.get(name, "")
        case ast.Attribute(value=owner, attr=name) if not isinstance(owner, ast.Name) or owner.id != "self":
            return fields.get(name, "")
        case _:
            return ""


def _names_in(piece: ast.AST, scope: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters and variables that are such a text wherever they are bound, with its type."""
    found, seen = dict[str, set[str]](), set[int]()
    for node in ast.walk(piece):  # a statement comes before the names in it
        match node:
            case ast.arg(arg=name, annotation=hint):
                found.setdefault(name, set()).add(_annotated(hint, scope))
            case ast.Assign(targets=[ast.Name(id=name) as target], value=value):
                seen.add(id(target))
                found.setdefault(name, set()).add(_given(value, scope) or _known(value, {}, fields))
            case ast.Name(id=name, ctx=ast.Store()) if id(node) not in seen:
                found.setdefault(name, set()).add("")
            case _:
                pass
    return {name: min(kinds) for name, kinds in found.items() if min(kinds)}


def _annotated(hint: ast.expr | None, scope: Mapping[str, Any]) -> str:
    match hint:
        case ast.Name(id=name):
            return _kind_of(scope.get(name))
        case ast.BinOp(left=ast.Name(id=name), op=ast.BitOr(), right=ast.Constant(value=None)):
            return _kind_of(scope.get(name))
        case _:
            return ""


def _given(value: ast.expr, scope: Mapping[str, Any]) -> str:
    """Return the type of what an awaited tool gives."""
    match value:
        case ast.Await(value=ast.Call(func=ast.Name(id=name))) if isinstance(tool := scope.get(name), Tool):
            try:
                return _kind_of(typing.get_type_hints(tool.function).get("return"))
            except (NameError, TypeError, AttributeError):
                return ""
        case _:
            return ""


def _kind_of(hint: Any) -> str:
    """Return the name of a type whose values are texts inside; empty: it is another one."""
    hint = unwrapped(hint)
    if typing.get_origin(hint) in (typing.Union, UnionType):
        [hint, *others] = [unwrapped(each) for each in typing.get_args(hint) if each is not NoneType]
        hint = None if others else hint
    return hint.__name__ if isinstance(hint, type) and issubclass(hint, _FOREIGN) else ""
