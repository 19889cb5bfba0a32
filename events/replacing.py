"""`replace` of dataclasses, several times as fast: each step of a job makes some twenty records.

Invariant: as `dataclasses.replace`, but for `__post_init__`: records that check or fill fields there are left to that
one. Type checkers see only that one here, and so check the names of the fields.
"""

from dataclasses import replace as replace  # noqa: PLC0414 - this is what the module exports
from typing import TYPE_CHECKING, Any

if not TYPE_CHECKING:
    from dataclasses import fields

    _replace, _new, _set = replace, object.__new__, object.__setattr__
    # How the records of a class are copied, looked up once: its slots, or () for those with a __dict__ (None: not
    # here); and how many fields they have.
    _KINDS: dict[type, tuple[tuple[str, ...] | None, int]] = {}

    def _looked_up(kind: type) -> tuple[tuple[str, ...] | None, int]:
        names = tuple(field.name for field in fields(kind))
        slots = names if hasattr(kind, "__slots__") else ()
        _KINDS[kind] = None if hasattr(kind, "__post_init__") else slots, len(names)
        return _KINDS[kind]

    def replace(record: Any, /, **changes: Any) -> Any:
        """The record with these fields changed."""
        kind = record.__class__
        try:
            slots, size = _KINDS[kind]
        except KeyError:
            slots, size = _looked_up(kind)
        if slots is None:
            return _replace(record, **changes)
        made = _new(kind)
        if slots:
            for name in slots:
                _set(made, name, changes.pop(name) if name in changes else getattr(record, name))
            if changes:
                raise TypeError(f"{kind.__name__} has no fields {sorted(changes)}")
            return made
        have = made.__dict__
        have |= record.__dict__
        have |= changes
        if len(have) != size:
            raise TypeError(f"{kind.__name__} has no fields {sorted(have.keys() - {f.name for f in fields(kind)})}")
        return made
