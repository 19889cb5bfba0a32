"""A tool function's parameters and docstring: the arguments that the model fills in, and their meanings.

One parameter may take the `ToolContext`. Descriptions come from a Google-style `Args:` section; reading a docstring
never fails, and one in another style is taken whole. Invariant: a parameter that cannot be described to a model is
refused here, when the module is imported, with a `TypeError` that names the function, the parameter and the remedy.
Must not: call the function.
"""

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from types import SimpleNamespace, UnionType
from typing import Any, Union

from msgspec import Struct, field

from baton.sdk.tools.context import ToolContext

# Compiled by their first use: a cold start needs neither.
_ARGS_HEADER = r"(Args|Arguments|Parameters):\s*"
_ARGUMENT = r"(?P<name>\*{0,2}\w+)\s*(\([^)]*\))?\s*:\s*(?P<text>.*)"


class Docstring(Struct, frozen=True):
    """A docstring in two parts: the description (without the `Args:` section) and the arguments' texts by name."""

    description: str = ""
    arguments: dict[str, str] = field(default_factory=dict)


def read_docstring(text: str | None) -> Docstring:
    """Split a docstring into its description and its arguments."""
    before: list[str] = []
    section: list[str] = []
    after: list[str] = []
    target = before
    for line in inspect.cleandoc(text or "").splitlines():
        if target is before and re.fullmatch(_ARGS_HEADER, line):
            target = section
            continue
        if target is section and line and not line[0].isspace():
            target = after
        target.append(line)
    parts = ("\n".join(before).strip(), "\n".join(after).strip())
    return Docstring(description="\n\n".join(part for part in parts if part), arguments=_read_arguments(section))


def _read_arguments(lines: list[str]) -> dict[str, str]:
    """Read `name: text` and `name (type): text`; a deeper indent continues the text."""
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        match = re.fullmatch(_ARGUMENT, line.strip())
        if match and len(line) - len(line.lstrip()) == indent:
            current = found.setdefault(match["name"].lstrip("*"), [])
            current.append(match["text"])
        else:
            current.append(line.strip())
    return {name: " ".join(part for part in parts if part) for name, parts in found.items()}


REFUSED_KINDS = {
    inspect.Parameter.VAR_POSITIONAL: "collects any number of arguments; take a list instead",
    inspect.Parameter.VAR_KEYWORD: "collects arguments of any name; name each one, or take a dict",
    inspect.Parameter.POSITIONAL_ONLY: "is positional-only, but arguments are given by name; remove the '/'",
}


class Argument(Struct, frozen=True):
    """One argument that the model fills in; `default` is `inspect.Parameter.empty` for a required one."""

    name: str
    annotation: Any
    default: Any

    @property
    def is_required(self) -> bool:
        """Whether the function has no default for it."""
        return self.default is inspect.Parameter.empty


class ToolSignature(Struct, frozen=True):
    """A tool function's parameters; `context_name` is the parameter that takes the `ToolContext`, if there is one."""

    arguments: tuple[Argument, ...]
    context_name: str | None


def read_signature(function: Callable[..., Any], names_in_scope: Mapping[str, Any]) -> ToolSignature:
    """Read the parameters of a function; `names_in_scope` resolves annotations that are written as text."""
    parameters = inspect.signature(function).parameters
    for parameter in parameters.values():
        _refuse_undescribable(function, parameter)
    hints = _resolve_annotations(function, names_in_scope)
    contexts = [name for name in parameters if _is_context(hints[name])]
    if len(contexts) > 1:
        raise TypeError(f"tool {function.__qualname__}: more than one ToolContext parameter ({', '.join(contexts)})")
    arguments = [
        Argument(name, hints[name], parameter.default) for name, parameter in parameters.items() if name not in contexts
    ]
    return ToolSignature(tuple(arguments), contexts[0] if contexts else None)


def _refuse_undescribable(function: Callable[..., Any], parameter: inspect.Parameter) -> None:
    where = f"tool {function.__qualname__}: parameter {str(parameter).split(':')[0].split('=')[0].strip()!r}"
    if parameter.kind in REFUSED_KINDS:
        raise TypeError(f"{where} {REFUSED_KINDS[parameter.kind]}")
    if parameter.annotation is inspect.Parameter.empty:
        hint = "tools are functions, not methods" if parameter.name in {"self", "cls"} else "write, say, 'path: str'"
        raise TypeError(f"{where} has no type annotation; {hint}")
    from pydantic.fields import FieldInfo  # noqa: PLC0415 - of programs that declare tools

    if isinstance(parameter.default, FieldInfo):
        raise TypeError(f"{where} has a pydantic Field as its default; write Annotated[the type, Field(...)] instead")


def _resolve_annotations(function: Callable[..., Any], names_in_scope: Mapping[str, Any]) -> dict[str, Any]:
    """Evaluate annotations written as text, as they are under `from __future__ import annotations`.

    `ToolContext` resolves even where it is imported for type checkers only, since linters move the import there.
    The return annotation is left alone: it may stay unresolvable, and then results are not checked.
    """
    inner = inspect.unwrap(function)
    annotations = {name: parameter.annotation for name, parameter in inspect.signature(function).parameters.items()}
    local_names = {"ToolContext": ToolContext, **names_in_scope}
    try:
        return typing.get_type_hints(
            SimpleNamespace(__annotations__=annotations),
            globalns=inner.__globals__,
            localns=local_names,
            include_extras=True,
        )
    except (NameError, AttributeError, SyntaxError) as error:
        raise TypeError(
            f"tool {function.__qualname__}: cannot resolve an annotation ({error}); define or import the name above"
            " the tool, outside of 'if TYPE_CHECKING:'"
        ) from error


def _is_context(annotation: Any) -> bool:
    """Return whether a parameter takes the context: `ToolContext`, or `ToolContext | None`."""
    is_union = typing.get_origin(annotation) in {Union, UnionType}
    options = typing.get_args(annotation) if is_union else (annotation,)
    return any(isinstance(option, type) and issubclass(option, ToolContext) for option in options)
