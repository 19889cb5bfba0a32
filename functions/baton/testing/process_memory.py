"""The memory of a process in the modules of its tools.

A new process has the values that module-level names had when the simulation was made; containers, and objects of
classes of these modules, get their contents back in place. Must not: touch a module that has no tool.
"""

import ast
import functools
import inspect
import itertools
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from baton.sdk.agents.registry import Registry

Namespaces = Mapping[str, dict[str, Any]]
_Restore = Callable[[], None]
_LIBRARIES = ("baton.", "pydantic_ai.")
_CACHED = type(functools.lru_cache(lambda: None))


def tool_namespaces(registry: Registry) -> Namespaces:
    """Return the module-level names of the modules of the registry's tools; those of libraries keep no state."""
    functions = [tool.function for tool in registry.tools]
    functions += [one for agent in registry.agents if agent.runner for one in agent.runner.functions]
    functions += [handler.function for handler in registry.handlers if handler.function]
    found = dict(map(_namespace, functions))
    return {module: names for module, names in found.items() if not module.startswith(_LIBRARIES)}


def _namespace(function: Any) -> tuple[str, dict[str, Any]]:
    """Return the module of a function, or of a callable object's class."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    module: str = function.__module__
    return module, getattr(function, "__globals__", None) or vars(sys.modules[module])


class ProcessMemory:
    """The names of some modules, as they are now."""

    def __init__(self, namespaces: Namespaces, registry: Registry) -> None:
        self._names = [(namespace, dict(namespace)) for namespace in namespaces.values()]
        walk = _Walk(frozenset(namespaces))
        toolsets = [one for agent in registry.agents if agent.runner for one in agent.runner.toolsets]
        walk.restores += [_disconnecting(one) for one in toolsets if hasattr(vars(one).get("client"), "new")]
        for _, names in self._names:
            for name, value in names.items():
                if not name.startswith("__"):
                    walk.keep(value)
        self._contents = walk.restores

    def restore(self) -> None:
        """Restore the saved values."""
        for namespace, names in self._names:
            for name in namespace.keys() - names.keys():
                del namespace[name]
            namespace.update(names)
            for name, value in names.items():
                if isinstance(value, itertools.count):  # it cannot be set back, so another one replaces it
                    namespace[name] = names[name] = itertools.count(*_position(value))
        for restore in self._contents:
            restore()


def _position(number: "itertools.count[Any]") -> tuple[Any, ...]:
    """Read the position of a count, without moving it."""
    read = ast.literal_eval(repr(number).removeprefix("count"))
    return read if isinstance(read, tuple) else (read,)


class _Walk:
    """Traverses values, and saves how each is restored in place."""

    def __init__(self, modules: frozenset[str]) -> None:
        self._modules = modules
        self._seen: dict[int, Any] = {}  # kept, so that no other value gets the id
        self.restores: list[_Restore] = []

    def keep(self, value: Any) -> None:
        """Save the contents of a value, and their contents in turn."""
        if id(value) in self._seen:
            return
        self._seen[id(value)] = value
        restore, contents = self._of(value)
        if restore is not None:
            self.restores.append(restore)
        for one in contents:
            self.keep(one)

    def _of(self, value: Any) -> tuple[_Restore | None, Iterator[Any]]:
        if isinstance(value, dict):
            return _again(value, value.clear, value.update), iter(list(value.values()))
        if isinstance(value, set):
            return _again(value, value.clear, value.update), iter(())
        if isinstance(value, list | deque | bytearray):
            return _again(value, value.clear, value.extend), iter(list(value))
        return self._of_other(value)

    def _of_other(self, value: Any) -> tuple[_Restore | None, Iterator[Any]]:
        if isinstance(value, _CACHED):
            return value.cache_clear, iter(())
        if isinstance(value, type):
            return self._of_class(value)
        if type(value).__module__ in self._modules and hasattr(value, "__dict__"):
            return None, iter([vars(value)])
        return None, iter(value if isinstance(value, tuple) else ())

    def _of_class(self, found: type) -> tuple[_Restore | None, Iterator[Any]]:
        """Return the restorer of a class of one of the modules: its attributes, except for a class's own machinery."""
        if found.__module__ not in self._modules:
            return None, iter(())
        before = {name: value for name, value in vars(found).items() if not name.startswith("__")}

        def restore() -> None:
            for name in [name for name in vars(found) if not name.startswith("__") and name not in before]:
                delattr(found, name)
            for name, value in before.items():
                if vars(found).get(name) is not value:
                    setattr(found, name, value)

        return restore, iter(before.values())


def _disconnecting(toolset: Any) -> _Restore:
    """Make the function that ends a toolset's connection to an MCP server, which it and its client keep."""
    state = dict(vars(toolset))

    def restore() -> None:
        vars(toolset).clear()
        vars(toolset).update(state, client=state["client"].new())

    return restore


def _again(value: Any, clear: Callable[[], object], fill: Callable[[Any], object]) -> _Restore:
    """Make the function that restores a container's contents."""
    contents = value.copy()

    def restore() -> None:
        clear()
        fill(contents)

    return restore
