"""Machine-made mutants of a function: one operator, constant, condition, argument or statement means something else.

Left alone is what no user can notice whatever it is: the README has the rules. Must not: leave a mutant alone because
no test kills it.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from tests.mutation.code import Function, functions_in

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
_KINDS = {
    "text": r"^['\"].* → ['\"]|^f['\"].* without ",
    "number or truth": r"^([\d.e+-]+|True|False) → ",
    "return": r"^it returns None$",
    "call left out": r" is not called$|^nothing is added$",
    "raise left out": r"^it does not raise$",
    "arguments swapped": r": swapped arguments$",
}
_OWNER = re.compile(r"^f['\"].* without .*(tenant|job|call|principal|session|thread|\w_id\b|\w_key\b)")
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

    @property
    def name(self) -> str:
        """What tells it from all others, wherever its function stands in the file."""
        return f"{self.path}:{self.qualname}:{self.place}:{self.what}"

    @property
    def kind(self) -> str:
        """The sort of change, for a table."""
        return next(
            (kind for kind, pattern in _KINDS.items() if re.search(pattern, self.what)), "condition or operator"
        )

    @property
    def mixes_up(self) -> bool:
        """Whether a name no longer tells one tenant, job, call or key from another."""
        return bool(_OWNER.search(self.what))


def mutants_of(path: str, source: str) -> Iterator[Mutant]:
    for qualname, first_line, function in functions_in(ast.parse(source)):
        for place, (line, what) in enumerate(_changes(function)):
            yield Mutant(path, qualname, first_line, line, what, place)


def mutated(mutant: Mutant, source: str) -> ast.Module:
    tree = ast.parse(source)
    function = next(node for _, first_line, node in functions_in(tree) if first_line == mutant.function_line)
    closes_over = any(isinstance(node, ast.Name) and node.id == "super" for node in ast.walk(function))
    next(change for at, (_, _, change) in enumerate(_sites(function)) if at == mutant.place)()
    if closes_over:  # as before, also where it says so no more
        function.body.append(ast.If(ast.Constant(False), [ast.Expr(ast.Name("super", ast.Load()))], []))
    return tree


def _changes(function: Function) -> list[tuple[int, str]]:
    return [(line, what) for line, what, _ in _sites(function)]


def _sites(function: Function) -> Iterator[Site]:
    """Each place in the function where something may be changed."""
    for node in [function, *_nodes(function)]:
        yield from ((statement.lineno, what, change) for statement, what, change in _statements(node))
        line = getattr(node, "lineno", function.lineno)
        yield from ((line, what, change) for what, change in _ways(node))


def _nodes(function: Function) -> Iterator[ast.AST]:
    """What may be changed, in order."""
    left: list[ast.AST] = list(reversed(function.body))
    while left:
        node = left.pop()
        if not _is_left_alone(node):
            yield node
            left += reversed(_children(node))


def _children(node: ast.AST) -> list[ast.AST]:
    children: list[ast.AST] = list(ast.iter_child_nodes(node))
    match node:
        case ast.AnnAssign(value=value):
            children = [value] if value else []
        case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body):
            children = list[ast.AST](body)
        case ast.Call(func=ast.Name("cast" | "TypeAdapter"), args=args):
            children = list[ast.AST](args[1:])
        case ast.Call(func=ast.Name("isinstance" | "issubclass"), args=args):
            children = list[ast.AST](args[:1])
        case ast.keyword(arg="maxsize" | "strict"):
            children = []
        case ast.MatchClass(patterns=patterns, kwd_patterns=named):
            children = [*patterns, *named]
    return children


def _is_left_alone(node: ast.AST) -> bool:
    match node:
        case ast.expr_context() | ast.Pass() | ast.Assert() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Constant(value=str() as text):
            return any(map(str.isspace, text))
        case ast.JoinedStr(values=values):
            return any(isinstance(part, ast.Constant) and _is_left_alone(part) for part in values)
        case ast.Call(func=ast.Attribute(value=ast.Name("_log"))):
            return True
    return False


def _ways(node: ast.AST) -> Iterator[tuple[str, Change]]:
    """What may be changed of a node, in words, and how."""
    match node:
        case ast.Constant() | ast.JoinedStr():
            yield from _constants(node)
        case ast.Compare(ops=[op]) if type(op) in _COMPARISONS:
            yield _swapped(node.ops, op, _COMPARISONS[type(op)]())
        case ast.BoolOp(op=op):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield f"{_name(op)} → {_name(other)}", lambda: setattr(node, "op", other)
        case ast.BinOp(op=op) if type(op) in _OPERATORS:
            swapped = _OPERATORS[type(op)]()
            yield f"{_name(op)} → {_name(swapped)}", lambda: setattr(node, "op", swapped)
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test) if not _is_negated_itself(test):
            yield "the condition is negated", lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), test))
        case ast.Return(value=value) if value is not None and not _is_truth(value):
            yield "it returns None", lambda: setattr(node, "value", ast.Constant(None))
        case ast.Call(args=[first, second, *_]) if _may_be_swapped(node):
            yield f"{_text(node.func)}: swapped arguments", lambda: node.args.__setitem__(slice(2), [second, first])
        case ast.AugAssign(value=value):
            yield "nothing is added", lambda: setattr(node, "value", _nothing(value, node.op))
        case _:
            return


def _statements(parent: ast.AST) -> Iterator[tuple[ast.stmt, str, Change]]:
    """Each statement right in another one that may be left out."""
    for field in ("body", "orelse", "finalbody"):
        body = getattr(parent, field, [])
        for place, node in enumerate(body if isinstance(body, list) else []):
            what = _left_out(node)
            if what and not _is_left_alone(node):
                yield node, what, partial(body.__setitem__, place, ast.Pass())


def _left_out(node: ast.AST) -> str:
    match node:
        case ast.Expr(value=ast.Call() | ast.Await() as called) if not _is_left_alone(called):
            return f"{_text(called)} is not called"
        case ast.Raise():
            return "it does not raise"
    return ""


def _constants(node: ast.Constant | ast.JoinedStr) -> Iterator[tuple[str, Change]]:
    match node:
        case ast.JoinedStr(values=values):
            for place, part in enumerate(values):
                if isinstance(part, ast.FormattedValue):
                    what = f"{_text(node)} without {_text(part.value)}"
                    yield what, partial(values.__setitem__, place, ast.Constant(""))
        case ast.Constant(value=bool() as truth):
            yield f"{truth} → {not truth}", lambda: setattr(node, "value", not truth)
        case ast.Constant(value=int() | float() as number):
            yield f"{number} → {number + 1}", lambda: setattr(node, "value", number + 1)
        case ast.Constant(value=str() as text):
            yield f"{text!r} → {text + '~'!r}", lambda: setattr(node, "value", text + "~")


def _may_be_swapped(call: ast.Call) -> bool:
    first, second = call.args[:2]
    if type(first) is not type(second) or isinstance(first, ast.Starred) or ast.dump(first) == ast.dump(second):
        return False
    return _text(call.func) not in {"min", "max", "suppress", "cast", "isinstance", "issubclass"}


def _is_negated_itself(test: ast.expr) -> bool:
    """A comparison is a mutant of its own when it is turned round."""
    turned = ast.Eq | ast.NotEq | ast.In | ast.NotIn | ast.Is | ast.IsNot
    return isinstance(test, ast.Compare) and isinstance(test.ops[0], turned)


def _swapped(ops: list[ast.cmpop], op: ast.cmpop, other: ast.cmpop) -> tuple[str, Change]:
    return f"{_name(op)} → {_name(other)}", lambda: ops.__setitem__(0, other)


def _nothing(value: ast.expr, op: ast.operator) -> ast.expr:
    """An empty value of the same kind, where it can be seen; else the value twice."""
    if isinstance(value, ast.List | ast.ListComp | ast.GeneratorExp):
        return ast.List([], ast.Load())
    if isinstance(value, ast.Constant) and isinstance(value.value, int):
        return ast.Constant(0)
    return ast.BinOp(value, op, value)


def _is_truth(value: ast.expr) -> bool:
    """None stays None, and a truth value is turned round already."""
    return isinstance(value, ast.Constant) and (value.value is None or isinstance(value.value, bool))


def _text(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())


def _name(node: ast.AST) -> str:
    return type(node).__name__
