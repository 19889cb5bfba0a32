"""The memory of a process in the modules of its tools.

A new process has the values that module-level names had before the run; containers, and objects of classes of these
modules, get their contents back in place. Invariant: what the caller has changed between two runs stays. Must not:
touch a module that has no tool.
"""

import ast
import functools
import inspect
import itertools
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from baton.sdk.agents.registry import Registry

Namespaces = Mapping[str, dict[str, Any]]
_Restore = Callable[[], None]
_LIBRARIES = ("baton.", "pydantic_ai.", "agents.", "langchain.", "langgraph.")
_CACHED = type(functools.lru_cache(lambda: None))


def tool_namespaces(registry: Registry) -> Namespaces:
    """Return the module-level names of the modules of the registry's tools; those of libraries keep no state."""
    functions = [tool.function for tool in registry.tools]
    functions += [one for agent in registry.agents if agent.runner for one in agent.runner.functions]
    functions += [handler.function for handler in registry.handlers if handler.function]
    found = dict(map(_namespace, functions))
    return {module: names for module, names in found.items() if not module.startswith(_LIBRARIES)}


def _namespace(function: Any) -> tuple[str, dict[str, Any]]:
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    module: str = function.__module__
    return module, getattr(function, "__globals__", None) or vars(sys.modules[module])


class ProcessMemory:
    """The names of some modules, as they are now."""

    def __init__(self, namespaces: Namespaces, registry: Registry) -> None:
        self._namespaces, self._registry = namespaces, registry
        self._left = list[Any]()
        self._keep()

    def _keep(self) -> None:
        self._names = [(namespace, dict(namespace)) for namespace in self._namespaces.values()]
        walk = _Walk(frozenset(self._namespaces))
        toolsets = [one for agent in self._registry.agents if agent.runner for one in agent.runner.toolsets]
        disconnecting = [_disconnecting(one) for one in toolsets if hasattr(vars(one).get("client"), "new")]
        for _, names in self._names:
            for name, value in names.items():
                if not name.startswith("__"):
                    walk.keep(value)
        self._contents = [*(_Kept((), tuple, restore) for restore in disconnecting), *walk.kept]
        self.note_left()

    def note_left(self) -> None:
        """Note what the processes of a run have left."""
        self._left = [dict(namespace) for namespace, _ in self._names]
        for kept in self._contents:
            kept.left = kept.read()

    def undo_earlier(self) -> None:
        """Undo what earlier runs have left, before another one; what its caller has changed since is the caller's."""
        for (namespace, names), left in zip(self._names, self._left, strict=True):
            for name in [name for name, value in left.items() if namespace.get(name, _Kept) is value]:
                if name in names:
                    namespace[name] = names[name]
                else:
                    del namespace[name]
        for kept in self._contents:
            if _same(kept.read(), kept.left):
                kept.restore()
        self._keep()

    def restore(self) -> None:
        """Restore the saved values."""
        for namespace, names in self._names:
            for name in namespace.keys() - names.keys():
                del namespace[name]
            namespace.update(names)
            for name, value in names.items():
                if isinstance(value, itertools.count):  # it cannot be set back, so another one replaces it
                    namespace[name] = names[name] = itertools.count(*_position(value))
        for kept in self._contents:
            kept.restore()


def _position(number: "itertools.count[Any]") -> tuple[Any, ...]:
    read = ast.literal_eval(repr(number).removeprefix("count"))
    return read if isinstance(read, tuple) else (read,)


@dataclass(eq=False)
class _Kept:
    """Something that is restored in place. `left`: what the last run has left of it, as `read` returns it."""

    left: Any
    read: Callable[[], Any]
    restore: _Restore


def _same(one: Any, other: Any) -> bool:
    flat = [list(itertools.chain(*each.items())) if isinstance(each, dict) else list(each) for each in (one, other)]
    return len(flat[0]) == len(flat[1]) and all(left is right for left, right in zip(*flat, strict=True))


class _Walk:
    """Traverses values, and saves how each is restored in place."""

    def __init__(self, modules: frozenset[str]) -> None:
        self._modules = modules
        self._seen: dict[int, Any] = {}  # kept, so that no other value gets the id
        self.kept: list[_Kept] = []

    def keep(self, value: Any) -> None:
        """Save the contents of a value, and their contents in turn."""
        if id(value) in self._seen:
            return
        self._seen[id(value)] = value
        kept, contents = self._of(value)
        if kept is not None:
            self.kept.append(kept)
        for one in contents:
            self.keep(one)

    def _of(self, value: Any) -> tuple[_Kept | None, Iterator[Any]]:
        if isinstance(value, dict):
            return _again(value, value.clear, value.update), iter(list(value.values()))
        if isinstance(value, set):
            return _again(value, value.clear, value.update), iter(())
        if isinstance(value, list | deque | bytearray):
            return _again(value, value.clear, value.extend), iter(list(value))
        return self._of_other(value)

    def _of_other(self, value: Any) -> tuple[_Kept | None, Iterator[Any]]:
        if isinstance(value, _CACHED):
            return _Kept((), tuple, value.cache_clear), iter(())
        if isinstance(value, type):
            return self._of_class(value)
        if type(value).__module__ in self._modules and hasattr(value, "__dict__"):
            return None, iter([vars(value)])
        return None, iter(value if isinstance(value, tuple) else ())

    def _of_class(self, found: type) -> tuple[_Kept | None, Iterator[Any]]:
        """Return the restorer of a class of one of the modules: its attributes, except for a class's own machinery."""
        if found.__module__ not in self._modules:
            return None, iter(())

        def own() -> dict[str, Any]:
            return {name: value for name, value in vars(found).items() if not name.startswith("__")}

        before = own()

        def restore() -> None:
            for name in [name for name in vars(found) if not name.startswith("__") and name not in before]:
                delattr(found, name)
            for name, value in before.items():
                if vars(found).get(name) is not value:
                    setattr(found, name, value)

        return _Kept(before, own, restore), iter(before.values())


def _disconnecting(toolset: Any) -> _Restore:
    """Make the function that ends a toolset's connection to an MCP server, which it and its client keep."""
    state = dict(vars(toolset))

    def restore() -> None:
        vars(toolset).clear()
        vars(toolset).update(state, client=state["client"].new())

    return restore


def _again(value: Any, clear: Callable[[], object], fill: Callable[[Any], object]) -> _Kept:
    contents = value.copy()

    def restore() -> None:
        clear()
        fill(contents)

    return _Kept(contents, value.copy, restore)
