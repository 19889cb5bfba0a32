"""The calculator: arithmetic only, and never more work than it says."""

from contextlib import suppress
from typing import Any

import pytest

from baton.sdk.tools.builtin.calculate import FUNCTIONS, calculate, evaluate
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool_error import ToolError


async def value_of(expression: str) -> Any:
    return (await calculate.run({"expression": expression}, ToolContext.for_test()))["value"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7),
        (" (17.5 + 3) * 2 ** 8 ", 5248.0),
        ("-7 // 2 + 7 % 4", -1),
        ("0.1 + 0.2", 0.3),
        ("sqrt(2) ** 2", 2.0),
        ("max(1, 2.5, 2) - min(4, 3)", -0.5),
        ("round(2.345, 2)", 2.35),
        ("factorial(20)", str(2432902008176640000)),
        ("2 ** 64", str(2**64)),
        ("cos(pi)", -1.0),
        ("1 ** 9999", 1),
    ],
)
async def test_arithmetic_is_computed(expression: str, value: Any) -> None:
    """Whole numbers are exact, as text where JSON readers would round; others have no noise in the last bit."""
    assert await value_of(expression) == value


# What would fill memory or stack, or never end, and is not begun.
TOO_LARGE = (
    *("9 ** 9 ** 9", "10 ** 5000", "factorial(401)", "round(1, -1000000000)", "*".join(["10 ** 900"] * 5)),
    *("-" * 60 + "1", "1" + " + 1" * 300, "9" * 1001),
)
NOT_COMPUTABLE = (
    *("1 / 0", "sqrt(-1)", "(-8) ** 0.5", "1e308 * 10", "1 +", "(" * 300, "log(0)", "round()", "1\0", ""),
    *("factorial(-1)", "factorial(2.5)"),
)


@pytest.mark.parametrize(
    ("expression", "error"),
    [(each, "TooLarge") for each in TOO_LARGE] + [(each, "NotComputable") for each in NOT_COMPUTABLE],
)
async def test_what_takes_too_long_or_has_no_value_is_refused_for_good(expression: str, error: str) -> None:
    """Before it is done, and not as a crash of the tool."""
    with pytest.raises(ToolError) as caught:
        evaluate(expression)
    assert (caught.value.type, caught.value.retryable) == (error, False)


@pytest.mark.parametrize(
    "expression",
    ["__import__('os').system('true')", "[1, 2]", "True + 1", "1 < 2", "x + 1", "max(*[1], key=abs)", "sqrt"],
)
async def test_nothing_but_arithmetic_is_understood(expression: str) -> None:
    with pytest.raises(ToolError, match="use numbers") as caught:
        evaluate(expression)
    assert caught.value.retryable is False


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("arguments", ["10 ** 1000", "10 ** 1000, 10 ** 1000", "-1e308, 1e308", "1, -10 ** 9"])
def test_every_function_is_bounded_over_large_arguments(name: str, arguments: str) -> None:
    """Whatever it gives, it gives at once: a value, or a refusal that a tool may give."""
    with suppress(ToolError):
        assert isinstance(evaluate(f"{name}({arguments})"), int | float)
