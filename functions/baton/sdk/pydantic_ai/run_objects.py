"""What the objects of a run hold, kept from piece to piece: capabilities and toolsets that `for_run` makes anew.

Invariant: what an object holds is how it differs from how `for_run` makes it; it is set again before any hook runs.
What cannot be kept fails the run by name before its first answer is recorded. Must not: change the agent's own
objects.
"""

import inspect
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import Any, cast

from pydantic_ai import Agent, RunContext
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.models import Model
from pydantic_ai.tools import Tool
from pydantic_ai.toolsets import AbstractToolset

from baton.sdk.agents.runner import RunFailedError
from baton.sdk.pydantic_ai.held_values import ANEW, CannotBeHeldError, HeldValues, Json, made_later, merged
from baton_events.ids import canonical_json

# By object and attribute: its value.
Held = dict[str, dict[str, Json]]
# By object and attribute: its value before a call, and after it.
Changed = dict[str, dict[str, list[Json]]]
LIMIT_BYTES = 65_536
NOT_KEPT = "state_not_kept"
_LIBRARY = "pydantic_ai"
# By class, attributes that its `before_run` makes of what it reads: it runs in each piece, and they are not kept.
_READ: Mapping[str, Collection[str]] = {
    "pydantic_ai_harness.subagents._capability:SubAgents": ("_by_name", "_built", "_run_toolset", "_toolset")
}
# By class, a setting that keeps what these attributes hold whenever a run closes.
_STORED: Mapping[str, tuple[str, Collection[str]]] = {
    "pydantic_ai_harness.code_mode._toolset:CodeModeToolset": ("repl_store", ("_run_state", "_repl"))
}
# What hooks may not make: the next piece would have others in their place, or none.
_LASTING = (AbstractCapability, AbstractToolset, Agent, Tool, FunctionType)


def with_call(held: Held, changed: Changed) -> Held:
    """Add what a call has changed; calls beside each other are added in their order."""
    after = {name: dict(attributes) for name, attributes in held.items()}
    for name, attributes in changed.items():
        for attribute, (old, new) in attributes.items():
            mine = after.setdefault(name, {})
            mine[attribute] = merged(mine.get(attribute, old), old, new)
    return after


@dataclass
class RunObjects:
    """The objects of one opened run. `held`: what they held at the end of the piece before.

    Attributes:
        agent: whose own objects are settings, not state.
        held: as it was kept.
    """

    agent: Agent[Any, Any]
    held: Held
    _objects: dict[str, object] = field(default_factory=dict[str, object])
    _new: Held = field(default_factory=Held)
    _numbers: dict[str, int] = field(default_factory=dict[str, int])
    _roots: list[object] = field(default_factory=list[object])
    _own: set[int] = field(init=False)
    _modules: set[str] = field(init=False)
    _values: HeldValues = field(init=False)

    def __post_init__(self) -> None:
        """Look at the agent's own objects."""
        own = [*parts(self.agent.root_capability), *(part for one in self.agent.toolsets for part in parts(one))]
        self._own = {id(one) for one in own}
        self._modules = {_LIBRARY, *(package for one in own for package in _packages(one))}
        shared = (AbstractCapability, AbstractToolset, Agent, Model, Tool, RunContext)
        self._values = HeldValues(dict(_places(own)), self._modules, shared)

    def begin(self, *roots: object) -> None:
        """Note how the run's objects are new, and set what they held again.

        Raises RunFailedError: what they held does not fit the agent any more.
        """
        self._roots += roots
        for one in (part for root in roots for part in parts(root)):
            if not self._holds(one):
                continue
            self._modules.update(_packages(one))
            kind, named = type(one), _name_of(one)
            self._numbers[named] = number = self._numbers.get(named, 0) + 1
            key = f"{named} {number}"
            self._objects[key] = one
            self._new[key] = {name: self._written(one, name, value) for name, value in self._attributes(one)}
            for name, kept in self.held.get(key, {}).items():
                try:
                    value = self._values.read(kept, vars(one).get(name), f"{kind.__name__}.{name}")
                except CannotBeHeldError as error:
                    raise RunFailedError(NOT_KEPT, str(error)) from error
                object.__setattr__(one, name, value)

    def remade(self) -> list[Any]:
        """Return the objects that read what they are made of in each piece."""
        return [one for one in self._objects.values() if _name_of(one) in _READ]

    def has(self, root: object) -> bool:
        """Return whether nothing below the root can hold what is not looked at: a step may make a toolset anew.

        Nor what is stored only when the run closes.
        """
        looked_at = not self._objects or any(root is one for one in self._roots)
        return looked_at and not any(_is_stored(one) for one in self._objects.values())

    def kept(self) -> Held:
        """Return what the objects hold now. Raises RunFailedError: something cannot be kept, or it is too large."""
        found: Held = {}
        if not self._objects:
            return found
        later = replace(self._values, lasting=_LASTING, met=dict(self._values.met))
        for key, one in self._objects.items():
            new = self._new[key]
            now = {
                # What is made when it is first asked for, each piece makes for itself.
                name: ANEW
                if new.get(name) is None and isinstance(value, _LASTING)
                else self._written(one, name, value, later)
                for name, value in self._attributes(one)
            }
            differs = {name: value for name, value in now.items() if value != new.get(name, ANEW) or _refused(value)}
            for name, value in differs.items():
                _check(one, name, value, new.get(name))
            if differs:
                found[key] = differs
            if (size := len(canonical_json(differs))) > LIMIT_BYTES:
                raise RunFailedError(
                    NOT_KEPT,
                    f"{_named(one)} holds {size} bytes between two steps, more than {LIMIT_BYTES}; keep it in a store",
                )
        return found

    def changed(self) -> Changed:
        """Return what the objects hold now and did not when the piece began."""
        if not self._objects and not self.held:
            return {}
        now, changed = self.kept(), Changed()
        for key in {**now, **self.held}:
            before, new = self.held.get(key, {}), self._new.get(key, {})
            pairs = {
                name: [before.get(name, new.get(name)), now.get(key, {}).get(name, new.get(name))]
                for name in {**now.get(key, {}), **before}
            }
            if differing := {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}:
                changed[key] = differing
        return changed

    def _holds(self, one: object) -> bool:
        """Return whether an object is of the run: the agent's own ones hold nothing, unless a run begins in them."""
        kind: Any = type(one)
        if kind.__module__.partition(".")[0] in (_LIBRARY, "baton"):
            return False
        return id(one) not in self._own or getattr(kind, "before_run", None) is not AbstractCapability.before_run

    def _attributes(self, one: object) -> Iterator[tuple[str, Any]]:
        """Yield the attributes that may be of the run: none of the library's classes, and no setting."""
        library = {
            name
            for kind in type(one).__mro__
            if kind.__module__.partition(".")[0] == _LIBRARY
            for name in getattr(kind, "__annotations__", {})
        }
        library.update(_READ.get(_name_of(one), ()), _STORED[_name_of(one)][1] if _is_stored(one) else ())
        for name, value in vars(one).items():
            if name not in library and not (id(value) in self._values.places and not _is_small(value)):
                yield name, value

    def _written(self, one: object, name: str, value: Any, values: HeldValues | None = None) -> Json:
        try:
            return (values or self._values).written(value, name)
        except CannotBeHeldError as error:
            return {"refused": f"{_named(one)} holds what cannot be kept between two steps: {error}"}
        except RecursionError:
            return {"refused": f"{_named(one)} holds what cannot be kept between two steps: {name} contains itself"}


def _check(one: object, name: str, value: Json, new: Json) -> None:
    way_out = "keep it in deps or in a store, or make it a dataclass"
    if _refused(value):
        raise RunFailedError(NOT_KEPT, f"{value['refused']}; {way_out}")
    if kind := made_later(value, new).rpartition(":")[2]:
        text = f"{_named(one)} holds what cannot be kept between two steps: {name} is a {kind}, made during the run"
        raise RunFailedError(NOT_KEPT, f"{text}; {way_out}")


def _refused(value: Json) -> bool:
    return isinstance(value, dict) and "refused" in value


def _name_of(one: object) -> str:
    return f"{type(one).__module__}:{type(one).__qualname__}"


def _is_stored(one: object) -> bool:
    setting, _ = _STORED.get(_name_of(one), ("", ()))
    return bool(setting) and getattr(one, setting, None) is not None


def _is_small(value: Any) -> bool:
    return isinstance(value, str | bytes | int | float | None)


def _named(one: object) -> str:
    what = "toolset" if isinstance(one, AbstractToolset) else "capability"
    return f"{what} {type(one).__name__}"


def _packages(one: object) -> set[str]:
    return {kind.__module__.partition(".")[0] for kind in type(one).__mro__} - {"builtins", "typing", "abc"}


def parts(root: object) -> Iterator[object]:
    """Yield each capability and toolset below, with those that wrap others."""
    yield root
    attributes: Mapping[str, Any] = vars(root) if hasattr(root, "__dict__") else {}
    below = [attributes.get("wrapped"), *(attributes.get("capabilities") or ()), *(attributes.get("toolsets") or ())]
    for one in below:
        if isinstance(one, AbstractCapability | AbstractToolset):
            yield from parts(cast("object", one))


def _closed_over(function: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a function has from around it: a capability that it makes may hold that, and does not own it."""
    function = inspect.unwrap(getattr(function, "__func__", function)) if callable(function) else None
    if isinstance(function, FunctionType):
        found = inspect.getclosurevars(function)
        yield from {**found.globals, **found.nonlocals}.items()


def _places(own: list[object]) -> Iterator[tuple[str, Any]]:
    """Yield the agent's own objects and what they have, each by a place that is the same in every process."""
    for at, one in enumerate(own):
        kind = type(one).__name__
        yield f"{kind} {at}", one
        for name, value in (vars(one) if hasattr(one, "__dict__") else {}).items():
            if _is_small(value):
                continue
            yield f"{kind} {at}.{name}", value
            yield from ((f"{kind} {at}.{name}.{of}", one) for of, one in _closed_over(value) if not _is_small(one))
            if isinstance(value, list | tuple):
                items = cast("list[Any]", value)
                yield from (
                    (f"{kind} {at}.{name}[{index}]", one) for index, one in enumerate(items) if not _is_small(one)
                )
