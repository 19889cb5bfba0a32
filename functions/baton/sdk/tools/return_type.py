"""Check a tool's result against its return annotation.

Invariant: a tool without a return annotation, or with one that cannot be checked (it does not resolve, pydantic has no
schema for it, or it promises an iterator), may return anything. A fitting value is converted to the annotation: an int
for "3", a model for its fields. Must not: show the value in an error, since it may be long or secret.
"""

import inspect
import typing
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Mapping
from functools import cached_property
from types import SimpleNamespace, UnionType
from typing import Any, Union

from msgspec import Struct, convert
from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import SchemaError, to_json

from baton.sdk.tools.pending import Pending, RunAgain

_FAULTS_SHOWN = 5
_NO_RESULT = (Pending, RunAgain)
_LAZY = (Iterable, AsyncIterable, Awaitable)


class InvalidResult(TypeError):  # noqa: N818 - the name says what happened; it is shown to the model
    """The result does not fit the tool's return annotation."""


class ResultSchema:
    """The return type of one tool, for pydantic; what is no result yet, such as a `Pending`, always passes."""

    def __init__(self, tool: str, function: Callable[..., Any], names_in_scope: Mapping[str, Any]) -> None:
        self._tool, annotation = tool, _annotation_of(function, names_in_scope)
        self._options = _options_of(annotation)
        self._adapter, self._only_pending = _adapter_of(annotation)
        self._annotation = annotation

    def check(self, result: Any) -> Any:
        """Convert the result to the annotation. Raises InvalidResult: it does not fit; each fault is named."""
        if isinstance(result, _NO_RESULT):
            return result
        if self._only_pending:
            kind = type(result).__name__
            raise InvalidResult(f"tool {self._tool!r} is annotated to return Pending, and returned a {kind}")
        if self._adapter is None:
            return result
        try:
            return self._adapter.validate_python(result)
        except ValidationError as error:
            message = f"tool {self._tool!r} returned a {type(result).__name__} that does not fit its return annotation"
            raise InvalidResult(f"{message}: {_listed(error)}") from error

    def read(self, recorded: Any) -> Any:
        """Make a recorded result again what the annotation names; the end of a wait may be something else.

        Raises InvalidResult: it does not fit.
        """
        structs = [each for each in self._options if _is_struct(each) and each not in _NO_RESULT]
        if structs:
            return convert(recorded, structs[0])
        if self._reader is None:
            return recorded
        try:
            return at_hand(self._reader.validate_json(to_json(recorded)))
        except ValidationError as error:
            if Pending in self._options:
                return recorded
            message = f"the recorded result of {self._tool!r} does not fit its return annotation"
            raise InvalidResult(f"{message}: {_listed(error)}") from error

    @cached_property
    def _reader(self) -> TypeAdapter[Any] | None:
        return self._adapter or _adapter_of(self._annotation, also_lazy=True)[0]

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of results; an empty one says nothing."""
        try:
            return self._adapter.json_schema(mode="serialization") if self._adapter else {}
        except PydanticUserError:
            return {}


def _listed(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    shown = [(".".join(map(str, each["loc"])), each["msg"]) for each in faults[:_FAULTS_SHOWN]]
    return "; ".join(": ".join(filter(None, (where, text[:1].lower() + text[1:]))) for where, text in shown)


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


def at_hand(value: Any) -> Any:
    """Return a value whose parts can be read more than once."""
    if isinstance(value, Iterator):
        return [at_hand(each) for each in value]
    return type(value)(map(at_hand, value)) if type(value) in (list, tuple) else value


def _adapter_of(annotation: Any, *, also_lazy: bool = False) -> tuple[TypeAdapter[Any] | None, bool]:
    """Return the checker of results with this annotation, and whether only `Pending` is possible."""
    if annotation is Pending:
        return None, True
    # Read as a dataclass, Pending would be made of any object that has its fields.
    kept = tuple(option for option in _options_of(annotation) if option not in _NO_RESULT)
    if any(option in (Any, object) or (_is_lazy(option) and not also_lazy) or _is_struct(option) for option in kept):
        return None, False
    if not kept:  # no call of it ends by itself
        return None, False
    checked: Any = Union[kept]  # noqa: UP007 - the options are known at run time only
    try:
        return TypeAdapter(checked), False
    except (PydanticUserError, SchemaError, TypeError, NameError):
        return None, False


def _options_of(annotation: Any) -> tuple[Any, ...]:
    return typing.get_args(annotation) if typing.get_origin(annotation) in (Union, UnionType) else (annotation,)


def _is_struct(option: Any) -> bool:
    return isinstance(option, type) and issubclass(option, Struct)


def _is_lazy(option: Any) -> bool:
    """Return whether reading the value would use it up; a list, though iterable, does not count."""
    origin = typing.get_origin(option) or option
    return origin in _LAZY or (isinstance(origin, type) and issubclass(origin, typing.Iterator | typing.AsyncIterator))
