"""A calculator for models, which are poor at arithmetic: numbers, operators, and functions of mathematics.

Invariant: for any text the work is bounded (length, depth, size of every number on the way), and nothing but the names
listed here can be reached. Must not: hand the text to `eval`.
"""

import ast
import math
import operator
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from baton.sdk.tools.tool import tool
from baton.sdk.tools.tool_error import ToolError

Number = int | float

_MAX_CHARS = 1_000
_MAX_DEPTH = 50
_MAX_BITS = 4_096
_MAX_FACTORIAL = 400
_MAX_DIGITS = 100


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int) and abs(base) > 1:
        # Before the work is done: 9**9**9 has 369 million digits.
        _refuse_if(abs(exponent) * base.bit_length() > _MAX_BITS, "a power with too many digits")
    result = base**exponent
    if isinstance(result, complex):
        raise ToolError("a root of a negative number is no real number", type="NotComputable")
    return result


def _factorial(value: Number) -> int:
    _refuse_if(value > _MAX_FACTORIAL, f"the factorial of more than {_MAX_FACTORIAL}")
    if value != int(value):
        raise ToolError(f"the factorial of {value} is not defined; give a whole number", type="NotComputable")
    return math.factorial(int(value))


def _round(value: Number, digits: Number = 0) -> Number:
    # Rounding an integer to -n digits computes 10**n.
    _refuse_if(abs(digits) > _MAX_DIGITS, f"rounding to more than {_MAX_DIGITS} digits")
    return round(value, int(digits)) if digits else round(value)


_CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau}
_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_UNARY: dict[type[ast.unaryop], Callable[[Number], Number]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_OURS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "factorial": _factorial,
    "max": max,
    "min": min,
    "pow": _power,
    "round": _round,
}
_NAMES = (
    "abs acos asin atan atan2 ceil cos degrees exp factorial floor gcd hypot log log10 log2 max min pow radians round "
    "sin sqrt tan trunc"
)
FUNCTIONS: dict[str, Callable[..., Any]] = {name: _OURS.get(name) or getattr(math, name) for name in _NAMES.split()}


def evaluate(expression: str) -> Number:
    """Compute the value of an expression.

    Raises:
        ToolError: it is no arithmetic, too large, or has no value; permanent.
    """
    _refuse_if(len(expression) > _MAX_CHARS, f"an expression of more than {_MAX_CHARS} characters")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
        return _value(tree.body, 0)
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ToolError(
            f"{_shown(expression)} is not an arithmetic expression: {error}", type="NotComputable"
        ) from error
    except (ArithmeticError, ValueError, TypeError) as error:
        raise ToolError(f"{_shown(expression)} has no value: {error}", type="NotComputable") from error


def _value(node: ast.expr, depth: int) -> Number:
    _refuse_if(depth > _MAX_DEPTH, f"an expression nested more than {_MAX_DEPTH} deep")
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _bounded(number)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _UNARY:
            return _UNARY[type(sign)](_value(operand, depth + 1))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _BINARY:
            return _bounded(_BINARY[type(sign)](_value(left, depth + 1), _value(right, depth + 1)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            return _bounded(FUNCTIONS[name](*(_value(argument, depth + 1) for argument in arguments)))
    raise ToolError(
        f"{_shown(ast.unparse(node))} cannot be computed; use numbers, + - * / // % **, parentheses, "
        f"{', '.join(_CONSTANTS)}, and {', '.join(FUNCTIONS)}",
        type="NotComputable",
    )


def _bounded(value: Number) -> Number:
    if isinstance(value, int):
        _refuse_if(value.bit_length() > _MAX_BITS, "a number with too many digits")
    elif not math.isfinite(value):
        raise ToolError("the value is infinite or not a number", type="NotComputable")
    return value


def _refuse_if(too_large: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
    if too_large:
        raise ToolError(f"{what} is not computed here; make it smaller", type="TooLarge")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:79]}…")  # noqa: PLR2004 - only for reading


_EXACT_IN_JSON = 2**53  # larger integers are texts: readers that have doubles only would round them
_SIGNIFICANT_DIGITS = 15  # so that 0.1 + 0.2 is 0.3: a double without the noise of its last bit


@tool(capabilities={"math"}, retries=0, timeout_seconds=10)
async def calculate(expression: Annotated[str, Field(min_length=1, max_length=1_000)]) -> dict[str, Any]:
    """Compute an arithmetic expression; whole numbers are exact, others have 15 significant digits.

    Args:
        expression: such as "(17.5 + 3) * 2 ** 8 / sqrt(2)"; with pi, e, abs, round, min, max, log, sin and the like.
    """
    value = evaluate(expression)
    if isinstance(value, float):
        return {"expression": expression, "value": float(f"{value:.{_SIGNIFICANT_DIGITS}g}")}
    return {"expression": expression, "value": value if abs(value) <= _EXACT_IN_JSON else str(value)}
