"""A calculator: models are poor at arithmetic, and a wrong sum is hard to see."""

from typing import Annotated, Any

from pydantic import Field

from baton.tools.builtin.arithmetic import Number, evaluate
from baton.tools.tool import tool

_EXACT_IN_JSON = 2**53  # larger integers lose digits in readers that have doubles only
_SIGNIFICANT_DIGITS = 15  # so that 0.1 + 0.2 is 0.3: what a double holds without the noise of its last bit


@tool(capabilities={"math"}, retries=0, timeout_seconds=10)
async def calculate(expression: Annotated[str, Field(min_length=1, max_length=1_000)]) -> dict[str, Any]:
    """Compute an arithmetic expression; whole numbers are exact, others have 15 significant digits.

    Args:
        expression: such as "(17.5 + 3) * 2 ** 8 / sqrt(2)"; with pi, e, abs, round, min, max, log, sin and the like.
    """
    return {"expression": expression, "value": _in_json(evaluate(expression))}


def _in_json(value: Number) -> Number | str:
    """The value; a large integer as text, so that no reader rounds it."""
    if isinstance(value, int):
        return value if abs(value) <= _EXACT_IN_JSON else str(value)
    return float(f"{value:.{_SIGNIFICANT_DIGITS}g}")
