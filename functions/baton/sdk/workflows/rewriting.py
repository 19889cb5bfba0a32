"""Rewrites what Python has and the interpreter lacks as calls of substitutes, which stand in the same lines.

Invariant: a line of code keeps its number, but for the lines that a task group adds, which are counted. What is not
rewritten keeps its text. Must not: refuse code, which `subset` does.
"""

import ast
import builtins
import copy
from collections.abc import Iterator, Sequence
from contextlib import suppress

from msgspec import Struct

from baton.sdk.workflows.lacking import way_around

_OWNED = {"sub": "_baton_owned_sub", "finditer": "_baton_owned_finditer"}  # of `re`, or of a pattern
_OWNED |= {"sort": "_baton_owned_sort"}
_WHOLE_LINE = 1_000_000
_Place = tuple[int, int]


class Needs(Struct, frozen=True):
    """What a program needs besides.

    `has_groups`: tasks are awaited; `has_ranks`: objects and texts have an order; `has_enums`: members have a class.

    `shut`: fields that a model may not let anyone set.
    """

    has_groups: bool = False
    has_ranks: bool = False
    has_enums: bool = False
    shut: frozenset[str] = frozenset()


class Edit(Struct, frozen=True, order=True):
    """A text in the place of another one: from a line and a byte in it to another. `rank`: the higher is further right.

    `new` may have lines of its own.
    """

    start: _Place
    end: _Place
    rank: int
    new: str


def rewritten(lines: Sequence[str], node: ast.stmt, needs: Needs) -> dict[int, str]:
    """Return the lines of a piece of code by number, rewritten; one may hold several."""
    decorators = node.decorator_list if isinstance(node, ast.ClassDef) else []  # those of a function do not run
    first = decorators[0].lineno if decorators else node.lineno
    found = {at: lines[at - 1].encode() for at in range(first, (node.end_lineno or first) + 1)}
    for edit in sorted(_edits(lines, node, needs), reverse=True):
        (top, left), (bottom, right) = edit.start, edit.end
        rest = found[bottom][right:]
        for at in range(top + 1, bottom + 1):
            found[at] = b""
        found[top] = found[top][:left] + edit.new.encode() + rest
    return {at: line.decode() for at, line in found.items()}


def is_task_group(node: ast.AST) -> bool:
    """Return whether it is `async with asyncio.TaskGroup() as name:`, whose body has lines of its own."""
    match node:
        case ast.AsyncWith(items=[ast.withitem(context_expr=ast.Call(func=function, args=[], keywords=[]) as made)]):
            return _named(function) == "TaskGroup" and node.body[0].lineno > (made.end_lineno or 0)
        case _:
            return False


def _named(function: ast.expr) -> str:
    match function:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


def _edits(lines: Sequence[str], node: ast.AST, needs: Needs) -> Iterator[Edit]:
    """Yield the edits of a node, and of all below it that no edit takes in whole."""
    whole = _as_a_whole(node, needs)
    if whole is not None:
        yield from whole
        return
    yield from _in_place(lines, node)
    yield from _of_objects(node, needs)
    match node:
        case ast.AsyncWith() if is_task_group(node):
            yield from _group(lines, node)
        case ast.Call():
            yield from _around_part(node, needs)
        case ast.Await(value=work) if needs.has_groups and _is_maybe_task(work):
            yield from _around(work, "_baton_awaited(")
        case _:
            pass
    for name, value in ast.iter_fields(node):
        if name not in ("annotation", "returns", "decorator_list", "type_params", "bases"):
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, ast.AST):
                    yield from _edits(lines, each, needs)


def _of_objects(node: ast.AST, needs: Needs) -> Iterator[Edit]:
    """Yield the edits of what asks for the order of objects, or sets their fields."""
    match node:
        case ast.Compare() if _is_ranked(node, needs):
            for each in (node.left, *node.comparators):
                yield from _around(each, "_baton_rank(", rank=-1)
        case ast.Attribute(value=owner, attr=name, ctx=ast.Store()) if name in needs.shut:
            yield from _around(owner, "_baton_settable(", f", {name!r})", rank=-1)
        case _:
            pass


def _as_a_whole(node: ast.AST, needs: Needs) -> list[Edit] | None:
    """Return the edit of a node that is written anew; None: it is not, and what is below it may be."""
    match node:
        case ast.Delete() if all(isinstance(target, ast.Subscript) for target in node.targets):
            return [_edit(node, "; ".join(ast.unparse(_deleted(target, needs)) for target in node.targets))]
        case ast.GeneratorExp() | ast.Call(func=ast.Attribute(attr="sub" | "finditer" | "sort")) | ast.JoinedStr():
            rewriter = _Rewriter(needs)
            new = rewriter.visit(copy.deepcopy(node))
            with suppress(ValueError):  # a text in braces that cannot be written again
                if rewriter.has_changed:  # the parentheses of a call's one argument are its own
                    text = ast.unparse(new)
                    return [_edit(node, f"({text})" if isinstance(node, ast.GeneratorExp) else text)]
            return [] if isinstance(node, ast.JoinedStr) else None  # Python 3.11 has no places of what is inside
        case _:
            return None


def _is_substituted(node: ast.Call, needs: Needs) -> bool:
    """Return whether another function may be called in the place of this one, if it is Python's own."""
    if isinstance(node.func, ast.Name) and node.func.id == "type" and len(node.args) == 1:
        return needs.has_enums
    name = _named(node.func)  # the interpreter's `timedelta` takes whole numbers alone
    return name in ("timedelta", "dumps") or (name == "gather" and (bool(node.keywords) or needs.has_groups))


def _is_ranked(node: ast.Compare, needs: Needs) -> bool:
    """Return whether it may ask for the order of objects, which the interpreter knows of its own values alone."""
    is_order = all(isinstance(each, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for each in node.ops)
    return needs.has_ranks and is_order


_SIGNS = {ast.BitOr: "|", ast.BitAnd: "&", ast.BitXor: "^", ast.Sub: "-", ast.Add: "+", ast.Mult: "*"}


def _is_in_place(node: ast.AugAssign) -> bool:
    """Return whether it may change a set or a list, where the interpreter would make another one, or refuse to.

    What it is asked of can be read twice.
    """
    match node.target:
        case ast.Name() | ast.Attribute(value=ast.Name()):
            is_plain = True
        case ast.Subscript(value=ast.Name() | ast.Attribute(value=ast.Name()), slice=ast.Name() | ast.Constant()):
            is_plain = True
        case _:
            is_plain = False
    if isinstance(node.op, ast.Add):
        return is_plain and isinstance(node.value, ast.Tuple | ast.Call | ast.GeneratorExp)
    is_constant = isinstance(node.value, ast.Constant) and not isinstance(node.op, ast.Mult)
    return is_plain and type(node.op) in _SIGNS and not is_constant


def _in_place(lines: Sequence[str], node: ast.AST) -> Iterator[Edit]:
    if not isinstance(node, ast.AugAssign) or not _is_in_place(node):
        return
    sign, (line, after) = _SIGNS[type(node.op)], _span(node.target)[1]
    at = lines[line - 1].encode().find(f"{sign}=".encode(), after)
    if at >= 0:  # else it stands in another line
        target = ast.unparse(node.target)
        yield Edit((line, at), (line, at + 2), 0, f"= _baton_in_place({sign!r}, {target}, ")
        end = _span(node)[1]
        yield Edit(end, end, 1, ")")


def _is_failure(node: ast.Call) -> bool:
    """Return whether it makes an exception of Python's own with what may be no text: the interpreter takes texts."""
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    known = getattr(builtins, name, None)
    is_known = isinstance(known, type) and issubclass(known, BaseException) and not way_around(name)
    if not is_known and name != "ToolError":
        return False
    match node.args:
        case [ast.Constant(value=str()) | ast.JoinedStr() | ast.Starred()]:
            return False
        case _:
            return len(node.args) == 1


def _is_maybe_task(work: ast.expr) -> bool:
    return not isinstance(work, ast.Call) or _named(work.func) == "create_task"


def _edit(node: ast.expr | ast.stmt, new: str) -> Edit:
    return Edit(*_span(node), 0, new)


def _span(node: ast.expr | ast.stmt) -> tuple[_Place, _Place]:
    return (node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0)


def _around(node: ast.expr, before: str, after: str = ")", rank: int = 0) -> Iterator[Edit]:
    start, end = _span(node)
    yield Edit(start, start, rank, before)
    yield Edit(end, end, -rank, after)


def _around_part(node: ast.Call, needs: Needs) -> Iterator[Edit]:
    """Yield the edits of a call that is another one where a part of it is Python's own."""
    match node:
        case ast.Call(func=function) if _is_substituted(node, needs):
            yield from _around(function, "_baton_own(")
        case ast.Call(func=ast.Attribute(value=owner, attr="join")):
            yield from _around(owner, "_baton_joins(")
        case ast.Call(args=[argument]) if _is_failure(node):
            yield from _around(argument, "_baton_text(")
        case _:
            pass


def _group(lines: Sequence[str], node: ast.AsyncWith) -> Iterator[Edit]:
    """Yield the head of a task group as a `try`, and its end, at which its tasks are awaited."""
    [item] = node.items
    group, indent = f"_baton_group_{node.lineno}", lines[node.lineno - 1][: node.col_offset]
    names = " = ".join([group, *([ast.unparse(item.optional_vars)] if item.optional_vars else [])])
    head_ends = (node.body[0].lineno - 1, _WHOLE_LINE)
    yield Edit(_span(node)[0], head_ends, 0, f"{names} = _baton_TaskGroup()\n{indent}try:")
    caught = f"except Exception as _baton_error: {group}._baton_fail(_baton_error)"
    last = _span(node)[1]
    ends = f"\n{indent}{caught}\n{indent}finally: await {group}._baton_end()"
    yield Edit(last, last, _WHOLE_LINE - node.lineno, ends)


def _deleted(target: ast.expr, needs: Needs) -> ast.expr:
    assert isinstance(target, ast.Subscript), "others are refused"
    key, call = target.slice, target.value
    if isinstance(key, ast.Slice):
        key = _call("slice", *(part or ast.Constant(None) for part in (key.lower, key.upper, key.step)))
    visited: ast.expr = _Rewriter(needs).visit(copy.deepcopy(_call("_baton_del", call, key)))
    return visited


def _call(name: str, *args: ast.expr, keywords: Sequence[ast.keyword] = ()) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(args), list(keywords))


class _Rewriter(ast.NodeTransformer):
    """Rewrites an expression as a whole."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self.has_changed = False

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        """Make it lazy: a list for each item of what it runs over."""
        self.generic_visit(node)
        if node.generators[0].is_async or any(isinstance(each, ast.Await) for each in ast.walk(node)):
            return node
        first = node.generators[0]
        over, first.iter = first.iter, ast.List([ast.Name("_baton_item", ast.Load())], ast.Load())
        taken = ast.arguments([], [ast.arg("_baton_item")], None, [], [], None, [])
        return self._changed(_call("_baton_lazy", ast.Lambda(taken, ast.ListComp(node.elt, node.generators)), over))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Call the substitute of a function."""
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Attribute(value=owner, attr="sub" | "finditer" | "sort" as name)):
                return self._changed(_call(_OWNED[name], owner, *node.args, keywords=node.keywords))
            case ast.Call(func=ast.Attribute(value=owner, attr="join" as name), args=args):
                return self._changed(ast.Call(ast.Attribute(_call("_baton_joins", owner), name, ast.Load()), args, []))
            case ast.Call(func=ast.Name() as function, args=[argument]) if _is_failure(node):
                return self._changed(_call(function.id, _call("_baton_text", argument)))
            case ast.Call(func=function) if _is_substituted(node, self._needs):
                return self._changed(ast.Call(_call("_baton_own", function), node.args, node.keywords))
            case _:
                return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Compare the ranks of what has an order."""
        self.generic_visit(node)
        if not _is_ranked(node, self._needs):
            return node
        others: list[ast.expr] = [_call("_baton_rank", each) for each in node.comparators]
        return self._changed(ast.Compare(_call("_baton_rank", node.left), node.ops, others))

    def visit_Await(self, node: ast.Await) -> ast.AST:
        """Await what may be a task."""
        self.generic_visit(node)
        if not self._needs.has_groups or not _is_maybe_task(node.value):
            return node
        return self._changed(ast.Await(_call("_baton_awaited", node.value)))

    def _changed(self, node: ast.expr) -> ast.expr:
        self.has_changed = True
        return node
