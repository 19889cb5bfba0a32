"""The reference of what users' code imports: `baton`, `baton.tools`, `baton.testing`, and the calls of the client.

Invariant: every name of the documented surface is there, with its signature and docstring as the code has them; a name
without a docstring fails the making. Docstrings are Google's style: a section is a line such as `Args:`, and its
entries are indented below it.
"""

import importlib
import inspect
import re
from collections.abc import Callable, Collection
from dataclasses import fields, is_dataclass
from typing import Any

from msgspec import Struct

from baton.client import BatonClient
from baton.sdk.planning.reference import ResultOf
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool import Tool
from baton.testing.report import Report
from baton.testing.simulation import Simulation
from tests.docs.generated.markdown import markdown_list

_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises):$")
_ENTRY = re.compile(r"^ {4}(\w+): (.*)$")
_NAMED = ("Args", "Attributes")


def docstring_parts(docstring: str) -> tuple[str, dict[str, str]]:
    """Return the text that stands in no section, and what is said of each parameter; the rest is left out."""
    text: list[str] = []
    parameters: dict[str, str] = {}
    section, name = "", ""
    for line in docstring.splitlines():
        started = _SECTION.match(line)
        if started is not None or (section and line and not line.startswith(" ")):
            section = started[1] if started is not None else ""
        if not section:
            text.append(line)
        elif section in _NAMED and (entry := _ENTRY.match(line)) is not None:
            name = entry[1]
            parameters[name] = entry[2]
        elif section in _NAMED and name and line.strip() and started is None:
            parameters[name] += f" {line.strip()}"
    return "\n".join(text).strip(), parameters


# Values that carry no docstring of their own.
_VALUES = {
    "task_text": "Stands for the job's `taskDescription` in the arguments of a plan's step.",
    "task_data": "Stands for the job's `inputData`: `task_data['path']` for what is at that name.",
}
_MODULE = re.compile(r"\b(?:[a-z_]+\.)+(?=[A-Za-z])")
_METHODS_OF = (Report, Simulation, ToolContext)


def names_of(door: str) -> str:
    """List what `from DOOR import …` gives."""
    module = importlib.import_module(door)  # by name: it is read here, not used
    return "\n\n".join(_entry(name, getattr(module, name)) for name in module.__all__)


def client_calls() -> str:
    """Return the calls of `BatonClient`; those of `AsyncBatonClient` are the same."""
    return _methods(BatonClient, but=("close", "request"))


def _entry(name: str, value: Any) -> str:
    if isinstance(value, ResultOf):
        return f"### `{name}`\n\n{_VALUES[name]}"
    if isinstance(value, Tool):
        arguments = ", ".join(value.parameters.get("properties", {}))
        return f"### `{name}`: a tool\n\n{value.description} Arguments: `{arguments}`."
    is_object = not isinstance(value, type) and not inspect.isroutine(value)  # one that is called, and has more
    described = value.__call__ if is_object else value
    parts = [f"### `{name}`", docstring_parts(_docstring(described))[0], _parameters(described)]
    if is_object or value in _METHODS_OF:
        kind: Any = type(value) if is_object else value
        parts += ["Methods:", _methods(kind)]
    return "\n\n".join(part for part in parts if part)


def _parameters(value: Any) -> str:
    """Return a list of what is described, or else a line: most records of tests explain themselves."""
    described = docstring_parts(_docstring(value))[1]
    found = [each for each in _signature(value) if not each.name.startswith("_")]
    if not described:
        return ", ".join(f"`{_parameter(each)}`" for each in found)
    return markdown_list((_parameter(each), described.get(each.name, "")) for each in found)


def _signature(value: Any) -> list[inspect.Parameter]:
    if getattr(value, "_is_protocol", False) or (
        isinstance(value, type) and "__init__" not in vars(value) and not issubclass(value, Struct)
    ):
        return []  # it takes nothing
    found = list(inspect.signature(value).parameters.values())
    inside = {field.name for field in fields(value) if not field.repr} if is_dataclass(value) else set()
    return [each for each in found if each.name not in inside]


def _parameter(parameter: inspect.Parameter) -> str:
    default = parameter.default
    shown = default.__name__ if inspect.isfunction(default) else _shortened(repr(default))
    with_default = "" if default is inspect.Parameter.empty else f" = {shown}"
    return f"{parameter.name}: {_type(parameter.annotation)}{with_default}"


def _type(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    annotation = getattr(annotation, "__metadata__", (annotation,))[0]  # of `Given`: what a program gives
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return _shortened(text.strip("'"))


def _shortened(text: str) -> str:
    """Show names without their modules; a default made anew each time has no text that would help."""
    return _MODULE.sub("", text).replace("'", '"').replace("<factory>", "…")


def _methods(value: type, but: Collection[str] = ()) -> str:
    return markdown_list(
        (_call(name, method), " ".join(_docstring(method).partition("\n\n")[0].split()))
        for name, method in vars(value).items()
        if not name.startswith("_") and name not in but and isinstance(method, Callable | classmethod)  # type: ignore[arg-type]  # a protocol that isinstance knows
    )


def _call(name: str, method: Any) -> str:
    function = method.__func__ if isinstance(method, classmethod) else method
    names = [each.name for each in inspect.signature(function).parameters.values() if each.name not in {"self", "cls"}]
    return f"{'await ' if inspect.iscoroutinefunction(function) else ''}{name}({', '.join(names)})"


def _docstring(value: Any) -> str:
    docstring = inspect.getdoc(value)
    if not docstring:
        raise ValueError(f"{value!r} is in the documented surface and has no docstring: write one")
    return docstring
