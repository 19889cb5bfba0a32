"""The check of a value by a JSON schema in a bounded number of steps: `jsonschema` with counted keywords.

Invariants: nothing is retrieved, since the registry has the schema alone and a schema's own `$schema` changes nothing
below it; its names are looked for once; patterns run in an engine with a time limit; a fault takes steps, too, as its
text takes memory. A check without steps or time left finds no further fault. The keywords `unevaluatedItems` and
`unevaluatedProperties` are not checked: what they cost cannot be counted.
"""

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any

import regex
from jsonschema import ValidationError
from jsonschema.validators import extend, validator_for
from jsonschema_specifications import REGISTRY as SPECIFICATIONS
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import specification_with

from baton.sdk.clock import SystemClock
from baton_events.ids import canonical_json

STEPS, PATTERNS_MS, PATTERN_CHARS = 10_000, 50, 1_000
# So many keywords one within another: a library in Rust ends the process where Python has no stack left for it.
DEPTH = 60
# So many entries of a keyword, characters of a value, items to compare, and characters of an id take as long as a step.
_ENTRIES_PER_STEP, _CHARS_PER_STEP, _COMPARED_PER_STEP, _ID_CHARS_PER_STEP = 16, 250, 16, 50
_STEPS_OF_A_FAULT = 5
# A schema of more parts, or longer ids, is not searched for names: what refers to them is not checked.
_MOST_PARTS, _MOST_ID_CHARS = 2_000, 10_000
_IDS = ("$id", "id")
_UNCOUNTABLE = ("unevaluatedItems", "unevaluatedProperties")

Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


class _OutOfStepsError(Exception):
    """The check takes too long."""


class _Left:
    """What is left of one check: its steps, and the time of its patterns."""

    def __init__(self, value: Any, id_chars: int) -> None:
        self.steps, self.patterns_ms, self._clock = STEPS, PATTERNS_MS, SystemClock()
        self._id_chars, self.depth = id_chars, 0
        self._chars = dict[int, int]()
        self._measure(value)

    def _measure(self, value: Any) -> int:
        """Return about how many characters a value has; note it for values that hold others."""
        if isinstance(value, str):
            return len(value)
        if isinstance(value, int):
            return 1 + value.bit_length() // 3
        if not isinstance(value, dict | list):
            return 1
        within = [*value, *value.values()] if isinstance(value, dict) else value
        self._chars[id(value)] = chars = len(value) + sum(map(self._measure, within))
        return chars

    def take(self, wanted: Any, value: Any) -> None:
        """Take the steps of one keyword. Raises _OutOfStepsError: there are none left."""
        chars = self._chars[id(value)] if isinstance(value, dict | list) else self._measure(value)
        entries = 0
        if isinstance(wanted, list | dict):
            inner = wanted.values() if isinstance(wanted, dict) else wanted
            entries = len(wanted) + sum(len(each) for each in inner if isinstance(each, list))
        self._spend(1 + entries // _ENTRIES_PER_STEP + chars // _CHARS_PER_STEP)
        if self.depth > DEPTH:
            raise _OutOfStepsError

    def compare(self, wanted: Any, value: Any) -> None:
        """Take the steps of comparing a value, item by item, with what is wanted or each of it."""
        others = 1 + sum(isinstance(each, list | dict) for each in wanted) if isinstance(wanted, list) else 1
        self._spend(others * self._chars.get(id(value), 0) // _COMPARED_PER_STEP)

    def refer(self, reference: Any, _: Any) -> None:
        """Take the steps of following a reference."""
        self._spend(str(reference).count("/"))

    def descend(self, part: Any) -> None:
        """Take the steps of going into a part of the schema, whose id is joined to those around it."""
        has_id = isinstance(part, dict) and any(name in part for name in _IDS)
        self._spend(1 + (self._id_chars // _ID_CHARS_PER_STEP if has_id else 0))

    def note(self, fault: ValidationError) -> None:
        """Take the steps of a fault, whose text may repeat the value and the schema."""
        self._spend(_STEPS_OF_A_FAULT + len(fault.message) // _CHARS_PER_STEP)

    def _spend(self, steps: int) -> None:
        self.steps -= steps
        if self.steps <= 0:
            raise _OutOfStepsError

    def finds(self, pattern: str, text: str) -> bool | None:
        """Return whether the pattern is in the text; None: it is not known in time, or is no pattern here."""
        if self.patterns_ms <= 0 or len(pattern) > PATTERN_CHARS:
            return None
        began_ms = self._clock.now_ms()
        try:
            return regex.search(pattern, text, timeout=self.patterns_ms / 1000) is not None
        except Exception:  # noqa: BLE001 - a pattern of another language, or one that takes too long
            return None
        finally:
            self.patterns_ms -= max(0, self._clock.now_ms() - began_ms)


_LEFT: ContextVar[_Left] = ContextVar("left_of_a_check")


def faults_of(json_schema: Mapping[str, Any], value: Any, most: int) -> list[ValidationError]:
    """Return where the value does not fit, `most` faults at most.

    Raises Exception: the schema is none, or refers to something outside of it (`referencing.exceptions.Unresolvable`).
    """
    parts, id_chars = _sizes(json_schema)
    searched = parts <= _MOST_PARTS and id_chars <= _MOST_ID_CHARS
    token, faults = _LEFT.set(_Left(value, id_chars)), list[ValidationError]()
    try:
        for fault in _validator(json_schema, searched=searched).iter_errors(value):
            faults.append(fault)
            if len(faults) == most:
                break
    except _OutOfStepsError:
        pass
    except Unresolvable:
        if searched:
            raise
    finally:
        _LEFT.reset(token)
    return faults


def _sizes(json_schema: Mapping[str, Any]) -> tuple[int, int]:
    """Return of how many objects and lists the schema is made, and how many characters its ids have."""
    parts, id_chars, rest = 0, 0, list[Any]([json_schema])
    while rest:
        each = rest.pop()
        if isinstance(each, dict):
            id_chars += sum(len(each[name]) for name in _IDS if isinstance(each.get(name), str))
            rest += each.values()
        elif isinstance(each, list):
            rest += each
        else:
            continue
        parts += 1
    return parts, id_chars


def _validator(json_schema: Mapping[str, Any], *, searched: bool) -> Any:
    """Make a validator that knows the schema, and the names in it where they are `searched`, once for the check."""
    kind: Any = validator_for(json_schema)
    resource: Any = specification_with(kind.META_SCHEMA["$schema"]).create_resource(json_schema)
    base = resource.id() or ""
    alone: Any = Registry
    registry = SPECIFICATIONS.combine(alone(resources={base: resource}))
    if searched:
        registry = registry.with_resource(base, resource).crawl()
    return _counted_class(kind)(json_schema, _resolver=registry.resolver(base))


@cache
def _counted_class(kind: Any) -> Any:
    """Make a validator of this version of JSON Schema whose keywords are counted."""
    keywords = {**kind.VALIDATORS, **{name: one for name, one in _OURS.items() if name in kind.VALIDATORS}}
    keywords |= {name: _costing(keywords[name], cost) for name, cost in _COSTS.items() if name in keywords}
    counted = {name: _counted(keyword) for name, keyword in keywords.items()}
    made = extend(kind, counted)  # type: ignore[no-untyped-call]
    made.evolve = _evolved
    return made


def _evolved(validator: Any, **changes: Any) -> Any:
    """Return the validator of a part of the schema, which is counted as well, whatever version the part names."""
    _LEFT.get().descend(changes.get("schema"))
    fields = [one for one in type(validator).__attrs_attrs__ if one.init]
    return type(validator)(**{one.alias: getattr(validator, one.name) for one in fields} | changes)


def _counted(keyword: Keyword) -> Keyword:
    def counted(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        left = _LEFT.get()
        left.take(wanted, value)
        left.depth += 1
        for fault in keyword(validator, wanted, value, schema) or ():
            left.note(fault)
            yield fault
        left.depth -= 1

    return counted


def _costing(keyword: Keyword, cost: Callable[[_Left, Any, Any], None]) -> Keyword:
    def costing(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        cost(_LEFT.get(), wanted, value)
        yield from keyword(validator, wanted, value, schema) or ()

    return costing


def _pattern(validator: Any, wanted: str, value: Any, _: Any) -> Iterator[ValidationError]:
    if validator.is_type(value, "string") and _LEFT.get().finds(wanted, value) is False:
        yield ValidationError("it does not match")


def _pattern_properties(validator: Any, wanted: Any, value: Any, _: Any) -> Iterator[ValidationError]:
    if validator.is_type(value, "object"):
        for pattern, subschema in wanted.items():
            for name, each in value.items():
                _LEFT.get().take(None, name)
                if _LEFT.get().finds(pattern, name):
                    yield from validator.descend(each, subschema, path=name, schema_path=pattern)


def _additional(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(value, "object"):
        return
    patterns, named = schema.get("patternProperties", {}), schema.get("properties", {})
    finds = _LEFT.get().finds
    others = [name for name in value if name not in named]
    extras = [name for name in others if all(finds(pattern, name) is False for pattern in patterns)]
    if validator.is_type(wanted, "object"):
        for name in extras:
            yield from validator.descend(value[name], wanted, path=name)
    elif wanted is False and extras:
        yield ValidationError("it has further properties")


def _unique(validator: Any, wanted: Any, value: Any, _: Any) -> Iterator[ValidationError]:
    if wanted and validator.is_type(value, "array"):
        for each in value:
            _LEFT.get().take(None, each)
        if len({canonical_json(each) for each in value}) < len(value):
            yield ValidationError("it has an item twice")


_COSTS = {
    **dict.fromkeys(("const", "enum"), _Left.compare),
    **dict.fromkeys(("$ref", "$dynamicRef", "$recursiveRef"), _Left.refer),
}
_OURS: dict[str, Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional,
    "uniqueItems": _unique,
    **dict.fromkeys(_UNCOUNTABLE, lambda *_: None),
}
