"""Check a tool's result against its return annotation.

Invariant: a tool without a return annotation, or with one that cannot be checked (it does not resolve, pydantic has no
schema for it, or it promises an iterator), may return anything. A fitting value is converted to the annotation: an int
for "3", a model for its fields. Must not: show the value in an error, since it may be long or secret.
"""

import inspect
import typing
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from types import SimpleNamespace, UnionType
from typing import Any, Union

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import SchemaError

from baton.sdk.tools.pending import Pending

_FAULTS_SHOWN = 5
_LAZY = (Iterable, AsyncIterable, Awaitable)


class InvalidResult(TypeError):  # noqa: N818 - the name says what happened; it is shown to the model
    """The result does not fit the tool's return annotation."""


class ResultSchema:
    """The return type of one tool, for pydantic; a `Pending` is no result yet, and always passes."""

    def __init__(self, tool: str, function: Callable[..., Any], names_in_scope: Mapping[str, Any]) -> None:
        self._tool = tool
        self._adapter, self._only_pending = _adapter_of(_annotation_of(function, names_in_scope))

    def check(self, result: Any) -> Any:
        """Convert the result to the annotation.

        Raises:
            InvalidResult: it does not fit; each fault is named.
        """
        if isinstance(result, Pending):
            return result
        if self._only_pending:
            kind = type(result).__name__
            raise InvalidResult(f"tool {self._tool!r} is annotated to return Pending, and returned a {kind}")
        if self._adapter is None:
            return result
        try:
            return self._adapter.validate_python(result)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False, include_context=False)
            listed = "; ".join(_fault(fault["loc"], fault["msg"]) for fault in faults[:_FAULTS_SHOWN])
            message = f"tool {self._tool!r} returned a {type(result).__name__} that does not fit its return annotation"
            raise InvalidResult(f"{message}: {listed}") from error

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of results; an empty one says nothing."""
        try:
            return self._adapter.json_schema(mode="serialization") if self._adapter else {}
        except PydanticUserError:
            return {}


def _fault(where: tuple[int | str, ...], message: str) -> str:
    text = message[:1].lower() + message[1:]
    return f"{'.'.join(map(str, where))}: {text}" if where else text


def _annotation_of(function: Callable[..., Any], names_in_scope: Mapping[str, Any]) -> Any:
    """Return the return annotation; `Any` where there is none or it does not resolve."""
    annotation = inspect.signature(function).return_annotation
    if annotation is inspect.Signature.empty:
        return Any
    try:
        hints = typing.get_type_hints(
            SimpleNamespace(__annotations__={"return": annotation}),
            globalns=inspect.unwrap(function).__globals__,
            localns=dict(names_in_scope),
            include_extras=True,
        )
    except (NameError, AttributeError, SyntaxError, TypeError):
        return Any
    return hints["return"]


def _adapter_of(annotation: Any) -> tuple[TypeAdapter[Any] | None, bool]:
    """Return the checker of results with this annotation, and whether only `Pending` is possible."""
    if annotation is Pending:
        return None, True
    options = typing.get_args(annotation) if typing.get_origin(annotation) in (Union, UnionType) else (annotation,)
    # Read as a dataclass, Pending would be made of any object that has its fields.
    kept = tuple(option for option in options if option is not Pending)
    if any(option in (Any, object) or _is_lazy(option) for option in kept):
        return None, False
    checked: Any = Union[kept]  # noqa: UP007 - the options are known at run time only
    try:
        return TypeAdapter(checked), False
    except (PydanticUserError, SchemaError, TypeError, NameError):
        return None, False


def _is_lazy(option: Any) -> bool:
    """Return whether reading the value would use it up; a list, though iterable, does not count."""
    origin = typing.get_origin(option) or option
    return origin in _LAZY or (isinstance(origin, type) and issubclass(origin, typing.Iterator | typing.AsyncIterator))
