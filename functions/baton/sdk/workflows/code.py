"""The code that a workflow reaches: functions and classes of the user's modules, and what their other names mean.

Invariant: names are followed by their values, so an import is as good as a definition, and no name in an annotation is
followed. All faults are found in one reading, each with file and line. Must not: run code, or start an interpreter.
"""

import ast
import asyncio
import builtins
import importlib
import inspect
import sysconfig
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

from baton.sdk.agents.agent import Agent, CodeAgent
from baton.sdk.records.limits import MODULES
from baton.sdk.tools.tool import Tool
from baton.sdk.tools.tool_error import ToolError
from baton.sdk.workflows import subset
from baton.sdk.workflows.approval import Decision
from baton.sdk.workflows.foreign_texts import foreign_faults
from baton.sdk.workflows.lacking import TOOL, is_common, is_method
from baton.sdk.workflows.model_classes import (
    annotated_in,
    fields_of,
    is_model,
    is_plain_enum,
    methods_of,
    no_plain,
    shut_in,
    unmade,
)
from baton.sdk.workflows.shapes import NoLiteralError, Shapes
from baton.sdk.workflows.source_file import SourceFile, parsed, shown_as
from baton.sdk.workflows.substitutes import STANDARD, SUBSTITUTED

# What is there under a name of the program's own.
_OWN = {id(ToolError): "_baton_ToolError", id(Decision): "_baton_Decision"}
_KEPT_OPTIONS, _KEPT_FIELD_OPTIONS = frozenset({"frozen", "eq"}), frozenset({"default", "default_factory"})


class Code:
    """The code of one workflow, read from its function on.

    Attributes:
        faults: a line for each.
        files: the user's files, by path. imports: the statements that bind names of modules.
        steps: what is called, by its name in the program.
        early: statements before the user's own; `late`: after them.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.faults: list[str] = []
        self.files: dict[str, SourceFile] = {}
        self.shapes = Shapes()
        self.imports: dict[str, str] = {}
        self.steps: dict[str, Any] = {}
        self.early: list[str] = []
        self.late: list[str] = []
        self._targets: dict[int, str] = {}
        self._bound: dict[str, int] = {}
        self._first: dict[str, tuple[SourceFile, int]] = {}  # where names that Python has, too, have another meaning
        self._shut: Mapping[str, str] = {}  # fields, each with its model and the reason
        self._alive: list[Any] = []  # what ids are taken of
        self._pieces: list[tuple[SourceFile, ast.stmt, Mapping[str, Any]]] = []  # what was taken, and its names

    def read(self, function: FunctionType) -> None:
        """Read a workflow's function and all that it reaches."""
        file, node = self._found(function)
        if isinstance(node, subset.Function):
            for line, text in subset.parameter_faults(node):
                self._fault(text, file, line)
        self._define(function, function.__qualname__, is_top=True)

    def keep_methods(self, model: type) -> None:
        """Take a data class with its methods, if all that they reach is possible; else it has its fields alone."""
        _, node = self._found(model)
        has_methods = isinstance(node, ast.ClassDef) and any(isinstance(each, subset.Function) for each in node.body)
        if not has_methods or self.is_sourced(model) or not self._keeps_source(model):
            return
        trial = Code(self.name)
        trial._define(model, model.__name__)
        if not trial.faults:
            self._define(model, model.__name__)

    def check_models(self) -> None:
        """Note what the code asks of models that are their fields alone inside, and enums that values have."""
        self._check_values()
        bare = [model for model in self.shapes.models.values() if not self.is_sourced(model)]
        own = {name: model for model in bare for name in methods_of(model)}
        fields = {name for model in self.shapes.models.values() for name in annotated_in(model)}
        nodes = [(node, file, scope) for file, piece, scope in self._pieces for node in ast.walk(piece)]
        called, known = set[int](), set(fields)
        self._shut = self._shut_fields()
        for node, _, _ in nodes:
            match node:
                case ast.Call(func=function):
                    called.add(id(function))
                case (
                    ast.Attribute(attr=name, ctx=ast.Store())
                    | ast.AnnAssign(target=ast.Name(id=name))
                    | ast.FunctionDef(name=name)
                    | ast.AsyncFunctionDef(name=name)
                ):
                    known.add(name)
                case _:
                    pass
        for node, file, scope in nodes:
            match node:
                case ast.Attribute(attr=name) if name in own and name not in fields and not is_common(name):
                    what = f"{own[name].__name__}.{name} does not run in a workflow, which has the fields alone"
                    self._fault(f"{what}; write a function beside the class", file, node.lineno)
                case ast.Attribute() if self._is_bound_method(node, scope, called, known):
                    what = f".{node.attr} is no value in a workflow"
                    self._fault(f"{what}; call it, or write a lambda that does", file, node.lineno)
                case ast.Attribute() | ast.Call() | ast.MatchClass() | ast.Expr():
                    self._check_class(node, scope, bare, file)
                case _:
                    pass

    def _check_values(self) -> None:
        """Note enums that are more than names, and what is asked of values that are texts inside alone."""
        for kind in self.shapes.enums.values():
            if not is_plain_enum(kind):
                self._fault_of(kind, no_plain(kind))
        own = {each.attr for _, piece, _ in self._pieces for each in subset.attributes_of(piece, "self")}
        for file, piece, scope in self._pieces:
            for line, text in foreign_faults(piece, scope, self.shapes.models.values(), own):
                self._fault(text, file, line)

    def refuse_names(self, taken: AbstractSet[str]) -> None:
        """Note the names of the code and of its models that have to keep their meaning in the program."""
        for name in sorted(taken & {*self._first, *self.shapes.models}):
            what = f"name {name!r} is Python's own, which a workflow needs itself; rename it"
            self._fault(what, *self._first.get(name, (None, 0)))

    def _shut_fields(self) -> dict[str, str]:
        """Return the fields that nothing else has which may change, each with its model, and the reason."""
        models = self.shapes.models.values()
        changing = {name for model in models for name, *_ in fields_of(model) if name not in shut_in(model)}
        for _, piece, _ in self._pieces:
            changing |= {each.attr for each in subset.attributes_of(piece, "self") if isinstance(each.ctx, ast.Store)}
        found = [(name, f"{model.__name__}.{name} {why}") for model in models for name, why in shut_in(model).items()]
        return {name: text for name, text in found if name not in changing}

    def _is_bound_method(
        self, node: ast.Attribute, scope: Mapping[str, Any], called: set[int], known: set[str]
    ) -> bool:
        """Return whether a method is read and not called. `known`: the names of the code's own attributes."""
        if id(node) in called or node.attr in known or not is_method(node.attr):
            return False
        owner = scope.get(node.value.id) if isinstance(node.value, ast.Name) else None
        return isinstance(node.ctx, ast.Load) and (owner is None or isinstance(owner, str | list | dict | set | tuple))

    def _check_class(
        self,
        node: ast.Attribute | ast.Call | ast.MatchClass | ast.Expr,
        scope: Mapping[str, Any],
        bare: list[type],
        file: SourceFile,
    ) -> None:
        """Note what a piece of code asks of a class that is less inside. `bare`: models that are their fields alone."""
        text = ""
        match node:
            case ast.Attribute(attr=name, ctx=ast.Store()) if name in self._shut:
                text = f"{self._shut[name]}, which a workflow does not check; make another one"
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id=name)), attr=own) if own not in ("name", "value"):
                if is_plain_enum(scope.get(name)):
                    text = f"a member of {name} has a name and a value in a workflow; write .value.{own}"
            case ast.Call(func=ast.Name(id="len"), args=[ast.Name(id=name)]) if is_plain_enum(scope.get(name)):
                text = f"len({name}) is not possible in a workflow; write len(list({name}))"
            case ast.Expr(value=ast.Call(func=called)) if _is_awaited(self._called(called, scope)):
                shown = f"{ast.unparse(called)}(…)"
                text = f"{shown} is not awaited, so it does not run; write await {shown}"
            case ast.Call(func=ast.Name(id=name)) if (model := scope.get(name)) in bare:
                text = unmade(model, node)
            case (
                ast.MatchClass(cls=ast.Name(id=name))
                | ast.Call(func=ast.Name(id="isinstance"), args=[_, ast.Name(id=name)])
            ) if is_model(model := scope.get(name)):
                heirs = [each for each in self.shapes.models.values() if each is not model and issubclass(each, model)]
                if heirs:
                    what = f"a {heirs[-1].__name__} is no {name} in a workflow, though its class inherits"
                    text = f"{what}; compare a field, or ask for {heirs[-1].__name__} itself"
            case _:
                pass
        if text:
            self._fault(text, file, node.lineno)

    def _called(self, function: ast.expr, scope: Mapping[str, Any]) -> Any:
        """Return what is called by a name, or by a module's attribute; None: that is not known."""
        match function:
            case ast.Name(id=name) if not any(name in subset.bound_in(piece) for _, piece, _ in self._pieces):
                return scope.get(name)
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if isinstance(scope.get(name), ModuleType):
                return getattr(scope[name], attr, None)
            case _:
                return None

    def is_sourced(self, model: type) -> bool:
        """Return whether a model has its own source in the program."""
        return self._targets.get(id(model)) == model.__name__

    def _fault(self, text: str, file: SourceFile | None = None, line: int = 0) -> None:
        at = f"{file.shown}:{line}: " if file else ""
        if (fault := f"workflow {self.name!r}: {at}{text}") not in self.faults:
            self.faults.append(fault)

    def _fault_of(self, value: Any, text: str) -> None:
        """Note a fault of a function or class where it stands."""
        file, node = self._found(value)
        self._fault(text, file, subset.first_line(node) if node else 0)

    def _found(self, value: Any) -> tuple[SourceFile | None, ast.stmt | None]:
        """Return the file and the syntax of a function or class."""
        try:
            path = inspect.getsourcefile(value) or ""
            if path not in self.files:
                lines, tree = parsed(path)
                self.files[path] = SourceFile(shown_as(path, value.__module__), lines, tree)
        except (OSError, TypeError, SyntaxError, ValueError):
            return None, None
        return self.files[path], subset.node_of(self.files[path].tree, value)

    def _define(self, value: Any, asked: str, *, is_top: bool = False) -> str:
        """Take a function or class into the program; return its name there."""
        name: str = value.__name__
        self._note(value, name)
        file, node = self._found(value)
        if node is None and (inner := inspect.unwrap(value)) is not value:
            self._fault_of(inner, f"a decorated function ({asked}) is not possible in a workflow; {TOOL}")
            return name
        if file is None or node is None:
            self._fault(f"the source of {asked!r} cannot be read; keep it in a file of its own")
            return name
        self._mean(name, value, file, subset.first_line(node))
        for line, text in subset.faults_of(node, is_top=is_top):
            self._fault(text, file, line)
        file.taken.append(node)
        scope = subset.scope_of(value)
        self._pieces.append((file, node, scope))
        for found, line in subset.free_names(node).items():
            self._resolve(found, line, scope, file, node)
        return name

    def _note(self, value: Any, target: str) -> str:
        self._targets[id(value)] = target
        self._alive.append(value)
        return target

    def _resolve(self, name: str, line: int, scope: Mapping[str, Any], file: SourceFile, node: ast.AST) -> None:
        """Give a free name its meaning in the program."""
        if name not in scope:
            if fault := subset.builtin_fault(name):
                self._fault(fault, file, line)
            elif not hasattr(builtins, name):
                self._fault(f"name {name!r} is not defined", file, line)
            elif name in SUBSTITUTED:
                self._bind(name, SUBSTITUTED[name])
            return
        value = scope[name]
        if not self._mean(name, value, file, line):
            return
        if isinstance(value, ModuleType):
            self._module(name, value, file, node)
        elif (target := self._target(name, value, file, line)) not in ("", name):
            self._bind(name, target)

    def _mean(self, name: str, value: Any, file: SourceFile, line: int) -> bool:
        """Return whether a name has this meaning alone: all modules become one."""
        function = getattr(value, "function", value) if isinstance(value, CodeAgent) else value
        meaning = id(getattr(function, "__code__", value))
        if getattr(builtins, name, value) is not value:
            self._first.setdefault(name, (file, line))
        if is_one := self._bound.setdefault(name, meaning) == meaning:
            return is_one
        self._fault(f"name {name!r} has two meanings in the workflow's modules; rename one", file, line)
        return False

    def _bind(self, name: str, target: str) -> None:
        place = self.early if target.startswith("_baton_") else self.late
        if (statement := f"{name} = {target}") not in place:
            place.append(statement)

    def _module(self, name: str, module: ModuleType, file: SourceFile, node: ast.AST) -> None:
        """Take a module of the list as it is, and of another one the attributes that are used."""
        if module.__name__ in MODULES:
            self.imports[name] = f"import {module.__name__} as {name}"
            for each in subset.attributes_of(node, name) if name != module.__name__ else ():  # that one `subset` sees
                for text in subset.attribute_faults(module.__name__, each.attr):
                    self._fault(text, file, each.lineno)
            return
        self.imports[name] = f"{name} = _baton_Namespace()"
        for each in subset.attributes_of(node, name):
            value = getattr(module, each.attr, None)
            if not _is_users(module) and not isinstance(value, Tool | Agent | CodeAgent):
                self._fault(f"module {module.__name__!r} is not possible in a workflow; {TOOL}", file, each.lineno)
            elif target := self._target(each.attr, value, file, each.lineno):
                self._bind(f"{name}.{each.attr}", target)

    def _target(self, name: str, value: Any, file: SourceFile, line: int) -> str:
        """Return the expression of a value in the program; empty: it is imported, or refused."""
        known = self._targets.get(id(value)) or _OWN.get(id(value))
        if known:
            return known
        if isinstance(value, Tool | Agent | CodeAgent):
            target = f"_baton_step_{len(self.steps) + 1}"
            self.steps[target] = value
            return self._note(value, target)
        if id(value) in _standard():
            return self._imported(name, *_standard()[id(value)], file, line)
        if isinstance(value, type):
            return self._class(value, name, file, line)
        is_own = isinstance(value, FunctionType) and _is_users(inspect.getmodule(value))
        return self._define(value, name) if is_own else self._constant(name, value, file, line)

    def _imported(self, name: str, module: str, own: str, file: SourceFile, line: int) -> str:
        if (module, own) in STANDARD:
            return STANDARD[module, own]
        for text in subset.attribute_faults(module, own):
            self._fault(text, file, line)
        self.imports[name] = f"from {module} import {own} as {name}"
        return ""

    def _class(self, value: type, name: str, file: SourceFile, line: int) -> str:
        if is_plain_enum(value):
            return self._note(value, f"_baton_ENUMS[{self.shapes.enum(value)!r}]")
        if issubclass(value, Enum):
            self._fault(no_plain(value), file, line)
            return ""
        if is_model(value):
            known = self.shapes.known(value)
            if subset.is_decorated(self._found(value)[1]):
                what = f"class {name} has a decorator beside @dataclass, which does not run in a workflow"
                self._fault_of(value, f"{what}; write a function beside the class")
            return self._define(value, name) if self._keeps_source(value) else known
        if not _is_users(inspect.getmodule(value)) or issubclass(value, BaseException):
            way = "raise a built-in exception, such as ValueError" if issubclass(value, BaseException) else TOOL
            self._fault(f"class {value.__name__} is not possible in a workflow; {way}", file, line)
            return ""
        return self._define(value, name)

    def _keeps_source(self, model: type) -> bool:
        """Return whether a data class is taken with its methods: it has no base, and no option beyond the subset."""
        _, node = self._found(model)
        if not isinstance(node, ast.ClassDef) or any(subset.faults_of(node)):
            return False
        options = [each for each in node.decorator_list if isinstance(each, ast.Call)]
        named = {option.arg for each in options for option in each.keywords}
        fields = {
            option.arg
            for each in ast.walk(node)
            if isinstance(each, ast.Call) and getattr(each.func, "id", getattr(each.func, "attr", "")) == "field"
            for option in each.keywords
        }
        is_kept = _KEPT_OPTIONS.issuperset(named) and _KEPT_FIELD_OPTIONS.issuperset(fields)
        return len(node.decorator_list) == 1 and is_kept

    def _constant(self, name: str, value: Any, file: SourceFile, line: int) -> str:
        try:
            text = self.shapes.literal(value)
        except NoLiteralError as error:
            what = f"{name!r} is a {error}, and no tool, agent, workflow, model, dataclass or constant"
            self._fault(f"{what}; {TOOL}", file, line)
            return ""
        if "('model'" in text:  # its class may be the user's own, which stands further below
            return self._note(value, f"({text})")
        target = f"_baton_value_{len(self._alive)}"
        self.early.append(f"{target} = {text}")
        return self._note(value, target)


@cache
def _standard() -> Mapping[int, tuple[str, str]]:
    """Return the values of the interpreter's modules by id, with module and name."""
    found = dict[int, tuple[str, str]]()
    for module in MODULES:
        for name, value in vars(importlib.import_module(module)).items():
            if not name.startswith("_") and (callable(value) or getattr(value, "__module__", "") == "typing"):
                found.setdefault(id(value), (module, name))
    return found


@cache
def _is_users(module: ModuleType | None) -> bool:
    """Return whether a module is the user's: neither Python's, nor an installed package's, nor Baton's."""
    if module is None or (path := getattr(module, "__file__", None)) is None:
        return False
    installed = any(path.startswith(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib"))
    return not installed and module.__name__.partition(".")[0] not in ("baton", "baton_events", "baton_local")


def _is_awaited(value: Any) -> bool:
    return isinstance(value, Tool | Agent | CodeAgent) or value is asyncio.gather or inspect.iscoroutinefunction(value)
