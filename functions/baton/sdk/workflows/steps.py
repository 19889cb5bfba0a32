"""The steps that a workflow's code may ask for: the tools, agents and workflows that it reaches by what it loads.

The user's functions are followed, and what stands in his containers, classes and instances; a method is, once anything
loads an attribute of its name. Invariant: a step's own body is not followed, nor a library's code. What is reached by
data alone, as by `getattr(shop, name)`, is not found. Must not: run code of the user's, or read his properties.
"""

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from enum import EnumMeta
from functools import partial, partialmethod
from itertools import islice
from types import FunctionType, MappingProxyType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, TypeAlias, get_args, get_origin

from baton.sdk.agents.agent import Agent, CodeAgent
from baton.sdk.tools.tool import Tool
from baton.sdk.workflows.loads import NOTHING, Loads, attribute_of, closure_of, is_library, place_of

Step: TypeAlias = Tool | Agent | CodeAgent
STEPS = (Tool, Agent, CodeAgent)
_MOST_VALUES, _MOST_ELEMENTS = 20_000, 1_000  # a container of more is data
_PLAIN = (str, bytes, int, float, complex, type(None))
_ROWS = (list, tuple, set, frozenset, deque)
_FUNCTIONS = (FunctionType, MethodType, partial, staticmethod, classmethod)
# Where wrappers keep what they call.
_WRAPPERS = (MethodType, partial, partialmethod, property, staticmethod, classmethod)
_WRAPPED = ("__func__", "__self__", "func", "args", "keywords", "fget", "fset")


def steps_of(function: FunctionType) -> list[Step]:
    """Return the steps that a workflow's function may ask for, each once, in the order in which they are reached."""
    return Reached(function).steps


class Reached:
    """What a workflow's code reaches.

    Attributes:
        steps: each once. functions: those of the user, each with what it loads.
    """

    def __init__(self, function: FunctionType) -> None:
        self.steps: list[Step] = []
        self.functions: list[tuple[FunctionType, Loads]] = []
        self._own = str(function.__globals__.get("__name__")).partition(".")[0]
        self._seen = dict[int, Any]()  # keeps alive what ids are taken of
        self._todo = deque[Any]()
        self._names = set[str]()  # attributes of what is not known before the code runs
        self._offered = dict[str, list[Any]]()  # attributes of what is reached, until anything loads one of their name
        self._reach(function)
        while self._todo:
            self._follow(self._todo.popleft())

    def _reach(self, *values: Any) -> None:
        for value in values:
            is_new = not issubclass(type(value), _PLAIN) and id(value) not in self._seen
            if is_new and len(self._seen) < _MOST_VALUES:
                self._seen[id(value)] = value
                self._todo.append(value)

    def _follow(self, value: Any) -> None:
        kind = type(value)  # not `isinstance`: a stand-in may do anything when it is asked for its class
        if issubclass(kind, STEPS):
            self.steps.append(value)
            self._answers(value)
        elif issubclass(kind, FunctionType):
            self._function(value)
        elif issubclass(kind, type):
            self._class(value)
        elif issubclass(kind, ModuleType):
            if not self._is_library(value.__name__, place_of(value)):
                self._offer(vars(value))
        elif issubclass(kind, _WRAPPERS):
            self._reach(*(getattr(value, name, None) for name in _WRAPPED))
        else:
            self._instance(value, kind)

    def _function(self, function: FunctionType) -> None:
        self._reach(*vars(function).values())  # what it wraps, too
        names = function.__globals__
        if self._is_library(str(names.get("__name__")), function.__code__.co_filename) and self.functions:
            wrapped = closure_of(function).values()
            self._reach(*(each for each in wrapped if issubclass(type(each), _FUNCTIONS)))
            return
        loads = Loads(function)
        self.functions.append((function, loads))
        self._reach(*(each.value for each in loads.found))
        self._reach(*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
        self._types(_annotations(function).values(), names)
        for name in loads.names:
            self._names.add(name)
            self._reach(*self._offered.pop(name, ()))

    def _class(self, kind: type) -> None:
        if self._is_theirs(kind):
            return
        theirs = [base for base in kind.__mro__ if base is not object and self._is_theirs(base)]
        for name, value in vars(kind).items():
            # Python calls a special method, and a library what stands in the place of its own.
            if (name.startswith("__") and name.endswith("__")) or any(name in vars(base) for base in theirs):
                self._reach(*([value] if issubclass(type(value), _FUNCTIONS) else ()))
        self._offer(vars(kind))
        self._reach(type(kind), *kind.__bases__)
        self._types(_annotations(kind).values(), vars(sys.modules.get(kind.__module__, sys)))
        if issubclass(type(kind), EnumMeta):
            self._reach(*(member._value_ for member in vars(kind)["_member_map_"].values()))

    def _instance(self, value: Any, kind: type) -> None:
        self._reach(*islice(_elements(value, kind), _MOST_ELEMENTS), kind)
        own = _vars_of(value)
        self._offer(own)
        if self._is_theirs(kind):  # a library's wrapper, or a container
            is_container = kind.__module__ == "collections"
            self._reach(*(each for each in own.values() if is_container or issubclass(type(each), _FUNCTIONS)))
            return
        slots = [name for base in kind.__mro__ for name, at in vars(base).items() if type(at) is MemberDescriptorType]
        self._offer({name: attribute_of(value, name) for name in slots})

    def _answers(self, step: Any) -> None:
        """Reach the classes of a step's result: the code calls their methods."""
        function = getattr(step, "function", None)
        if isinstance(function, FunctionType):
            self._types([_annotations(function).get("return")], function.__globals__)
        self._types([getattr(step, "output_type", None)], {})

    def _types(self, annotations: Iterable[Any], names: Mapping[str, Any]) -> None:
        for each in annotations:
            found = _named_in(each, names) if isinstance(each, str) else [each]
            for one in found:
                self._types(get_args(one), names)
                self._reach(*(kind for kind in (one, get_origin(one)) if isinstance(kind, type)))

    def _offer(self, attributes: Mapping[str, Any]) -> None:
        for name, value in attributes.items():
            if name in self._names:
                self._reach(value)
            elif not issubclass(type(value), _PLAIN):
                self._offered.setdefault(name, []).append(value)

    def _is_theirs(self, kind: type) -> bool:
        module = str(kind.__module__)
        return self._is_library(module, place_of(sys.modules.get(module)))

    def _is_library(self, module: str, path: str) -> bool:
        """Return whether code is not the user's. What stands in the workflow's own package is."""
        return module.partition(".")[0] != self._own and is_library(module, path)


def _elements(value: Any, kind: type) -> Iterator[Any]:
    """Yield what stands in a container of Python's own, or of a class that inherits one."""
    if issubclass(kind, dict | MappingProxyType):
        own = dict if issubclass(kind, dict) else MappingProxyType
        yield from own.keys(value)
        yield from own.values(value)
    for each in _ROWS:
        if issubclass(kind, each):
            found = each.__iter__(value)
            yield from sorted(found, key=_name_of) if issubclass(kind, set | frozenset) else found


def _name_of(value: Any) -> str:
    return str(getattr(value, "name", "")) if issubclass(type(value), STEPS) else ""


def _vars_of(value: Any) -> Mapping[str, Any]:
    try:
        found = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return found if isinstance(found, dict) else {}


def _annotations(value: Any) -> Mapping[str, Any]:
    try:
        found = vars(value).get("__annotations__") if isinstance(value, type) else value.__annotations__
    except NameError:  # since Python 3.14 they are evaluated late
        return {}
    return found or {}


def _named_in(annotation: str, names: Mapping[str, Any]) -> list[Any]:
    try:
        code = compile(annotation.strip(), "<annotation>", "eval")
    except (SyntaxError, ValueError):
        return []
    found = list[Any]()
    for name in code.co_names:
        modules = [each for each in found if isinstance(each, ModuleType)]
        found += [names[name]] if name in names else [attribute_of(each, name) for each in modules]
    return [each for each in found if each is not NOTHING]
