"""A class with `@quick_init` is made as its dataclass was."""

from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import Any

import pytest

from events.quick_init import quick_init


@dataclass(frozen=True)
class Plain:
    """What the others are compared with."""

    a: int
    b: str = "b"
    c: list[int] = field(default_factory=list[int])


@quick_init
@dataclass(frozen=True)
class Open:
    """With a __dict__."""

    a: int
    b: str = "b"
    c: list[int] = field(default_factory=list[int])


@quick_init
@dataclass(frozen=True, slots=True)
class Slotted:
    """Without."""

    a: int
    b: str = "b"
    c: list[int] = field(default_factory=list[int])


KINDS = [Open, Slotted]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("args", "named"), [((1,), {}), ((1, "x"), {}), ((), {"a": 1, "c": [2]}), ((1,), {"b": "y"})])
def test_fields_are_what_the_dataclass_would_have(kind: Any, args: Any, named: Any) -> None:
    """By position, by name, by default."""
    expected = Plain(*args, **named)
    made = kind(*args, **named)
    assert (made.a, made.b, made.c) == (expected.a, expected.b, expected.c)
    assert repr(made) == repr(expected).replace("Plain", kind.__name__)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("args", "named"), [((), {}), ((1, "b", [], 4), {}), ((1,), {"a": 1}), ((1,), {"z": 1})])
def test_wrong_arguments_are_refused(kind: Any, args: Any, named: Any) -> None:
    """One is missing, too many, twice, unknown."""
    with pytest.raises(TypeError):
        Plain(*args, **named)
    with pytest.raises(TypeError):
        kind(*args, **named)


@pytest.mark.parametrize("kind", KINDS)
def test_each_record_has_a_value_of_its_own_where_a_factory_makes_it(kind: Any) -> None:
    """Nothing is shared."""
    assert kind(1).c is not kind(1).c


@pytest.mark.parametrize("kind", KINDS)
def test_it_stays_frozen_and_can_be_compared_and_replaced(kind: Any) -> None:
    """Only its constructor is another one."""
    made = kind(1)
    with pytest.raises(FrozenInstanceError):
        made.a = 2
    assert replace(made, a=2) == kind(2)


def test_a_constructor_that_does_more_is_refused() -> None:
    """It would be skipped."""

    @dataclass(frozen=True)
    class Checked:
        a: int

        def __post_init__(self) -> None:
            """Check."""

    @dataclass(frozen=True)
    class Derived:
        a: int = field(init=False, default=1)

    for kind in (Checked, Derived):
        with pytest.raises(TypeError, match="does more"):
            quick_init(kind)
