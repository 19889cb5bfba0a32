"""A frozen record that costs almost nothing at import, and that `dataclasses` accepts as a dataclass.

A dataclass compiles six methods when it is defined: forty times what a Struct costs, at each cold start.
"""

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.structs import fields


class _DataclassFields:
    """The fields that `dataclasses.replace`, `asdict` and `fields` read; made on first access."""

    def __get__(self, record: object, kind: type[Struct]) -> Mapping[str, dataclasses.Field[Any]]:
        """Return the fields of an equivalent dataclass, without defaults."""
        return _dataclass_fields(kind)


@cache
def _dataclass_fields(kind: type[Struct]) -> Mapping[str, dataclasses.Field[Any]]:
    made = dataclasses.make_dataclass(kind.__name__, [(each.name, each.type) for each in fields(kind)])
    return {each.name: each for each in dataclasses.fields(made)}


class Record(Struct, frozen=True):
    """Base of frozen records that users, or older code, may give to `dataclasses`."""

    __dataclass_fields__ = _DataclassFields()
