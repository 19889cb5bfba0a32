"""`replace` does what that of dataclasses does, for records of every kind."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from events.replacing import replace as ours


@dataclass(frozen=True)
class Open:
    """A record with a __dict__."""

    a: int
    b: str = "b"


@dataclass(frozen=True, slots=True)
class Slotted:
    """A record without one."""

    a: int
    b: str = "b"
    c: list[int] = field(default_factory=list[int], compare=False)


@dataclass(frozen=True, slots=True)
class Derived(Slotted):
    """One more field."""

    d: int = 4


@dataclass(frozen=True, slots=True)
class Checked:
    """A record that checks its fields."""

    a: int
    b: str = "b"

    def __post_init__(self) -> None:
        """Refuse what is below zero."""
        if self.a < 0:
            raise ValueError("below zero")


RECORDS = [Open(1), Slotted(1), Derived(1, d=5), Checked(1)]


@pytest.mark.parametrize("record", RECORDS)
def test_fields_are_changed_in_a_copy(record: Any) -> None:
    """The others stay, and so does the record itself."""
    before = repr(record)
    made = ours(record, b="new")
    assert made == replace(record, b="new")
    assert type(made) is type(record)
    assert repr(record) == before


@pytest.mark.parametrize("record", RECORDS)
def test_a_field_that_does_not_exist_is_refused(record: Any) -> None:
    """By every kind of record."""
    with pytest.raises(TypeError):
        ours(record, z=1)


def test_what_checks_its_fields_checks_them_again() -> None:
    """A record cannot be made wrong by way of a right one."""
    with pytest.raises(ValueError, match="below zero"):
        ours(Checked(1), a=-1)


def test_fields_that_are_not_compared_are_copied() -> None:
    """The same object."""
    record = Slotted(1, c=[1])
    assert ours(record, a=2).c is record.c
