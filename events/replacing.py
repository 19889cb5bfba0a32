"""`replace` of dataclasses, several times as fast: each step of a job makes some twenty records.

Invariant: as `dataclasses.replace`, but for `__post_init__`: records that check or fill fields there are left to that
one. Type checkers see only that one here, and so check the names of the fields.
"""

from dataclasses import replace as replace  # noqa: PLC0414 - this is what the module exports
from typing import TYPE_CHECKING, Any

if not TYPE_CHECKING:
    from dataclasses import fields

    _replace, _new, _set = replace, object.__new__, object.__setattr__
    # How the records of a class are copied, looked up once: () by their __dict__, else slot by slot; None: not here.
    _SLOTS: dict[type, tuple[str, ...] | None] = {}

    def _slots_of(kind: type) -> tuple[str, ...] | None:
        if hasattr(kind, "__post_init__"):
            return None
        return tuple(field.name for field in fields(kind)) if hasattr(kind, "__slots__") else ()

    def replace(record: Any, /, **changes: Any) -> Any:
        """The record with these fields changed."""
        kind = type(record)
        if kind not in _SLOTS:
            _SLOTS[kind] = _slots_of(kind)
        slots = _SLOTS[kind]
        if slots is None:
            return _replace(record, **changes)
        made = _new(kind)
        if slots:
            for name in slots:
                _set(made, name, changes.pop(name) if name in changes else getattr(record, name))
        else:
            had, have = record.__dict__, made.__dict__
            have.update(had, **changes)
            changes = {} if len(have) == len(had) else have.keys() - had.keys()
        if changes:
            raise TypeError(f"{kind.__name__} has no fields {sorted(changes)}")
        return made
