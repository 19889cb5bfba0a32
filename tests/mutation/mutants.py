"""Machine-made mutants of a function: one operator, number, condition or statement of it means something else.

Left alone: texts, annotations, defaults, decorators, and calls of the log, which no test promises anything of.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
Function = ast.FunctionDef | ast.AsyncFunctionDef
Change = Callable[[], None]
Site = tuple[int, str, Change]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A function of a file, by its qualified name and first line, with one thing changed: the `place`th that may be."""

    path: str
    qualname: str
    function_line: int
    line: int
    what: str
    place: int


def mutants_of(path: str, source: str) -> Iterator[Mutant]:
    """Make each mutant of each function of a file."""
    tree = ast.parse(source)
    for names, function in _functions(tree.body, ()):
        for place, (line, what) in enumerate(_changes(function)):
            yield Mutant(path, ".".join(names), _first_line(function), line, what, place)


def mutated(mutant: Mutant, source: str) -> ast.Module:
    """Make the module with the mutant in it."""
    tree = ast.parse(source)
    function = next(node for _, node in _functions(tree.body, ()) if _first_line(node) == mutant.function_line)
    next(change for at, (_, _, change) in enumerate(_sites(function)) if at == mutant.place)()
    return ast.fix_missing_locations(tree)


def _functions(body: list[ast.stmt], names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Function]]:
    """Each function that is not inside another one; those inside are part of it."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(node.body, (*names, node.name))
        elif isinstance(node, Function):
            yield (*names, node.name), node


def _first_line(function: Function) -> int:
    return min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])


def _changes(function: Function) -> list[tuple[int, str]]:
    return [(line, what) for line, what, _ in _sites(function)]


def _sites(function: Function) -> Iterator[Site]:
    """Each place in the function where something may be changed."""
    for node in _nodes(function):
        line = getattr(node, "lineno", function.lineno)
        yield from ((line, what, change) for what, change in _ways(node))


def _nodes(function: Function) -> Iterator[ast.AST]:
    """What may be changed, in order: no texts, no annotations, no defaults, no calls of the log."""
    left: list[ast.AST] = list(reversed(function.body))
    while left:
        node = left.pop()
        if _is_left_alone(node):
            continue
        yield node
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.AnnAssign):
            children = [node.value] if node.value else []
        if isinstance(node, Function):
            children = list(node.body)
        left += reversed(children)


def _is_left_alone(node: ast.AST) -> bool:
    if isinstance(node, ast.JoinedStr | ast.expr_context | ast.Pass):
        return True
    if not isinstance(node, ast.Expr):
        return False
    called = node.value.func if isinstance(node.value, ast.Call) else None
    is_log = isinstance(called, ast.Attribute) and getattr(called.value, "id", "") == "_log"
    return is_log or isinstance(node.value, ast.Constant | ast.Yield)


def _ways(node: ast.AST) -> Iterator[tuple[str, Change]]:
    """What may be changed of a node, in words, and how."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARISONS:
            yield _swapped(node.ops, op, _COMPARISONS[type(op)]())
        case ast.BoolOp(op=op):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield f"{_name(op)} → {_name(other)}", lambda: setattr(node, "op", other)
        case ast.BinOp(op=op) if type(op) in _OPERATORS:
            swapped = _OPERATORS[type(op)]()
            yield f"{_name(op)} → {_name(swapped)}", lambda: setattr(node, "op", swapped)
        case ast.Constant(value=bool() as truth):
            yield f"{truth} → {not truth}", lambda: setattr(node, "value", not truth)
        case ast.Constant(value=int() | float() as number):
            yield f"{number} → {number + 1}", lambda: setattr(node, "value", number + 1)
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            yield "the condition is negated", lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), test))
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield "it returns None", lambda: setattr(node, "value", ast.Constant(None))
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield "it is not called", lambda: setattr(node, "value", ast.Constant(None))
        case ast.AugAssign(value=value):
            yield "nothing is added", lambda: setattr(node, "value", _nothing(value, node.op))
        case _:
            return


def _swapped(ops: list[ast.cmpop], op: ast.cmpop, other: ast.cmpop) -> tuple[str, Change]:
    return f"{_name(op)} → {_name(other)}", lambda: ops.__setitem__(0, other)


def _nothing(value: ast.expr, op: ast.operator) -> ast.expr:
    """An empty value of the same kind, where it can be seen; else the value twice."""
    if isinstance(value, ast.List | ast.ListComp | ast.GeneratorExp):
        return ast.List([], ast.Load())
    if isinstance(value, ast.Constant) and isinstance(value.value, int):
        return ast.Constant(0)
    return ast.BinOp(value, op, value)


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _name(node: ast.AST) -> str:
    return type(node).__name__
