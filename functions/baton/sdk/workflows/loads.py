"""What a function's code loads: globals, closures, imports in it, and chains of attributes from them, by its bytecode.

Invariant: a name counts by what it is, so an alias is as good as the name. Nothing of the code runs; a module of the
user that the code imports itself is imported now. Must not: follow what it finds.
"""

import dis
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path
from types import CodeType, FunctionType, MemberDescriptorType, ModuleType
from typing import Any, NamedTuple

_OURS = frozenset({"baton", "baton_events"})
_STANDARD = Path(inspect.__file__).parent
_INSTALLED = frozenset({"site-packages", "dist-packages"})
NOTHING: Any = object()  # there is no such value, or it is not known before the code runs
# What the compiler puts between two loads of a chain, or between a function and its call.
_BETWEEN = frozenset({"CACHE", "EXTENDED_ARG", "NOP", "PRECALL", "PUSH_NULL"})
_CALLS = frozenset({"CALL"})
_ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_NAMES = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_SETS = frozenset({"BUILD_SET", "SET_ADD"})
# Modules of the standard library that are imported for a look at what a function takes from them.
_LOOKED_INTO = frozenset({"random", "secrets", "uuid"})


class Load(NamedTuple):
    """A value that the code loads. `owner`: what it is an attribute of; `is_called_bare`: with no argument."""

    value: Any
    line: int
    owner: Any
    is_called_bare: bool


class Loads:
    """All that one function loads, with the functions and classes inside it.

    Attributes:
        found: the values. names: attributes of what is not known before the code runs, such as a parameter.
        has_sets: whether a set may be made in it.
    """

    def __init__(self, function: FunctionType) -> None:
        self.found: list[Load] = []
        self.names: dict[str, None] = {}
        self.has_sets = False
        self._globals = function.__globals__
        self._line = function.__code__.co_firstlineno
        self._read(function.__code__, closure_of(function))

    def read_text(self, annotation: str) -> None:
        try:
            self._read(compile(annotation.strip(), "<annotation>", "eval"), {})
        except (SyntaxError, ValueError):
            return

    def _read(self, code: CodeType, outer: Mapping[str, Any]) -> None:
        scope = {name: value for name, value in outer.items() if name not in code.co_cellvars}
        one = _Reading(self, code, scope, self._globals)
        self.has_sets = self.has_sets or one.has_sets
        for inner in code.co_consts:
            if isinstance(inner, CodeType):
                self._read(inner, one.scope)


class _Reading:
    """One code object, instruction by instruction. `scope`: names of functions around, and of imports in it."""

    def __init__(self, loads: Loads, code: CodeType, scope: dict[str, Any], names: dict[str, Any]) -> None:
        self.scope, self.has_sets = scope, any(isinstance(each, frozenset) for each in code.co_consts)
        self._loads, self._globals = loads, names
        self._is_body = bool(code.co_names) and not code.co_flags & inspect.CO_OPTIMIZED
        self._own = dict[str, Any]()  # imports in it, by the name of the variable
        self._value, self._owner, self._line = NOTHING, None, code.co_firstlineno
        self._consts: list[Any] = [0, None]
        self._package, self._imported = NOTHING, NOTHING
        for each in dis.get_instructions(code):
            if each.opname not in _BETWEEN:
                self._take(each.opname, each.argval, (each.positions and each.positions.lineno) or self._line)
        self._close()

    def _take(self, operation: str, argument: Any, line: int) -> None:
        self.has_sets = self.has_sets or operation in _SETS
        if operation in _ATTRIBUTES:
            self._attribute(argument)
        elif operation in _CALLS:
            self._close(is_called_bare=argument == 0)
        elif operation.startswith(("LOAD_", "STORE_")):
            self._close()
            self._line = line
            self._name(operation, argument)
        elif operation.startswith("IMPORT_"):
            self._import(operation, argument)
        else:
            self._close()

    def _name(self, operation: str, argument: Any) -> None:
        if "CONST" in operation or "SMALL_INT" in operation:
            self._consts = [self._consts[-1], argument]
            return
        pair: Any = argument
        first, last = (pair[0], pair[-1]) if isinstance(pair, tuple) else (pair, pair)
        if operation.endswith("ATTR"):  # a setter may be the user's, and `super().name`
            self._loads.names[argument] = None
        elif operation.startswith("STORE_"):
            if self._imported is not NOTHING:
                (self.scope if "DEREF" in operation else self._own)[first] = self._imported
                self._imported = NOTHING
            elif self._is_body and isinstance(first, str):
                self._own.setdefault(first, NOTHING)
            if "LOAD" in operation:  # two instructions in one
                self._value = self._own.get(last, NOTHING)
        elif "FAST" in operation:
            self._value = self._own.get(last, NOTHING)
        elif "DEREF" in operation:
            self._value = self.scope.get(argument, NOTHING)
        elif operation in _NAMES:
            self._value = self._own.get(argument, _found_in(self._globals, argument))

    def _attribute(self, name: str) -> None:
        value = NOTHING if self._value is NOTHING else attribute_of(self._value, name)
        if value is NOTHING:
            self._close()
            self._loads.names[name] = None
            return
        if not issubclass(type(self._value), ModuleType):
            self._note(is_called_bare=False)
        self._owner, self._value = self._value, value

    def _import(self, operation: str, name: str) -> None:
        """Note what an import in a function brings: the whole package, unless it names what it takes."""
        self._close()
        if operation == "IMPORT_NAME":
            level, taken = self._consts
            module = _module(name, level, self._globals.get("__package__") or "")
            top = sys.modules.get(name.partition(".")[0], NOTHING)
            self._imported = self._package = module if taken or level or module is NOTHING else top
        elif operation == "IMPORT_FROM":
            self._imported = _taken(self._package, name)
            if not self._consts[-1]:  # import a.b.c as d
                self._package = self._imported

    def _close(self, *, is_called_bare: bool = False) -> None:
        if self._value is not NOTHING:
            self._note(is_called_bare=is_called_bare)
        self._value, self._owner = NOTHING, None

    def _note(self, *, is_called_bare: bool) -> None:
        self._loads.found.append(Load(self._value, self._line, self._owner, is_called_bare))


def closure_of(function: FunctionType) -> dict[str, Any]:
    """Return what a function sees of the functions around it."""
    found = dict[str, Any]()
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # it is not there yet
            continue
    return found


def _found_in(names: Mapping[str, Any], name: str) -> Any:
    builtins = names.get("__builtins__", {})
    own = vars(builtins) if isinstance(builtins, ModuleType) else builtins
    return names.get(name, own.get(name, NOTHING))


def attribute_of(owner: Any, name: str) -> Any:
    """Return an attribute as it is stored: no property is read."""
    kind = type(owner)  # not `isinstance`: a stand-in may do anything when it is asked for its class
    if issubclass(kind, ModuleType):
        return _of_module(owner, name)
    try:
        value = inspect.getattr_static(owner, name)
        if not issubclass(kind, type) and type(value) is MemberDescriptorType:
            value = value.__get__(owner)
    except AttributeError:
        return NOTHING
    return value.__func__ if issubclass(type(value), classmethod | staticmethod) else value


def _of_module(module: ModuleType, name: str) -> Any:
    names = vars(module)
    top = module.__name__.partition(".")[0]
    if name in names or "__getattr__" not in names or (top not in _OURS and is_library(top, place_of(module))):
        return names.get(name, NOTHING)  # a library may load much to give an attribute
    return _tried(getattr, module, name)


def _module(name: str, level: int, package: str) -> Any:
    """Return a module that the code imports; one of a library only if it is loaded."""
    full = _tried(resolve_name, "." * level + name, package) if level else name
    top = str(full).partition(".")[0]
    is_known = full in sys.modules or full in _LOOKED_INTO
    found = None if is_known else sys.modules.get(top) or _tried(find_spec, top)
    is_wanted = is_known or (found not in (None, NOTHING) and not is_library(top, place_of(found)))
    return _tried(importlib.import_module, full) if is_wanted else NOTHING


def _taken(package: Any, name: str) -> Any:
    if package is NOTHING:
        return NOTHING
    value = attribute_of(package, name)
    return _module(f"{package.__name__}.{name}", 0, "") if value is NOTHING else value


def _tried(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except (Exception, SystemExit):  # noqa: BLE001 - whatever it is, the code that does the same will say it
        return NOTHING


def place_of(module: Any) -> str:
    """Return the path of a module or of its spec; empty: it has none."""
    path = getattr(module, "__file__", None) or getattr(module, "origin", None)
    folders = getattr(module, "__path__", None) or getattr(module, "submodule_search_locations", None) or ()
    return str(path or next(iter(folders), ""))


@cache
def is_library(module: str, path: str) -> bool:
    """Return whether code is Python's, Baton's or an installed package's, by its module's name and its file."""
    top = module.partition(".")[0]
    if top in _OURS or top in sys.builtin_module_names or path.startswith("<frozen"):
        return True
    place = Path(path)
    if not _INSTALLED.isdisjoint(place.parts) or place.is_relative_to(_STANDARD):
        return True
    depth = module.count(".") + (place.stem == "__init__")
    return place.is_absolute() and top in _installed_in(place.parents[min(depth, len(place.parents) - 1)])


@cache
def _installed_in(folder: Path) -> frozenset[str]:
    """Return the packages of libraries that lie in a folder beside the user's, as in the archive of a function."""
    listed = [path.read_text(encoding="utf-8").split() for path in folder.glob("*.dist-info/top_level.txt")]
    return frozenset(name for names in listed for name in names)


def shown_as(path: str, module: str) -> str:
    """Return a file's path as people know it, from the top of its package on."""
    parts = Path(path).parts
    return "/".join(parts[-(module.count(".") + 1 + (parts[-1] == "__init__.py")) :])
