"""Check the arguments a model sends against a tool's signature, and describe that signature as a JSON schema.

Invariant: arguments that pass are exactly those the function can be called with; unknown ones are refused, because a
model that misspells an argument must learn of it. Must not: run the tool.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import ErrorDetails, PydanticUndefined

from baton.sdk.redaction import is_secret_name, redacted
from baton.tools.signature import Argument, ToolSignature

ARGUMENTS_LIMIT_BYTES = 256 * 1024


Place = tuple[str | int, ...]

_SHOWN_CHARS = 80
_PROBLEMS = {"missing": "is required", "extra_forbidden": "is not an argument of this tool"}


class InvalidArguments(ValueError):  # noqa: N818 - the name says what happened; it is shown to the model
    """The arguments do not fit the tool; one readable line for each fault, in `faults`.

    `places`: where in the arguments each fault is, as the names and positions that lead there.
    """

    def __init__(self, tool: str, faults: list[str], places: list[Place]) -> None:
        super().__init__("\n".join([f"invalid arguments for tool {tool!r}:", *faults]))
        self.tool = tool
        self.faults = tuple(faults)
        self.places = tuple(places)


class _QuietSchema(GenerateJsonSchema):
    """The schema without titles, which repeat names, and without a warning for a default that JSON cannot hold."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - as pydantic declares it

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - signature of pydantic's hook
        return False


class ArgumentSchema:
    """The arguments of one tool, as pydantic sees them."""

    def __init__(self, tool: str, signature: ToolSignature, descriptions: Mapping[str, str]) -> None:
        self._tool = tool
        self._fields = {f"a{index}": argument.name for index, argument in enumerate(signature.arguments)}
        try:
            self._model = _build_model(tool, signature, descriptions)
            self.json_schema = _json_schema(self._model)
        except PydanticUserError as error:
            raise TypeError(f"tool {tool!r}: an argument's type cannot be read from JSON: {error.message}") from error

    def to_json(self, arguments: Any) -> dict[str, Any]:
        """Check arguments and return them as plain JSON data, coerced; defaults are not filled in."""
        return self._read(arguments).model_dump(mode="json", by_alias=True, exclude_unset=True)

    def to_keywords(self, arguments: Any) -> dict[str, Any]:
        """Check arguments and return them as Python values for the function's call; defaults are the function's own."""
        read = self._read(arguments)
        given = read.model_fields_set
        return {name: getattr(read, key) for key, name in self._fields.items() if key in given}

    def _read(self, arguments: Any) -> BaseModel:
        if not isinstance(arguments, Mapping):
            fault = f"arguments: must be an object, got {_shortened(arguments)}"
            raise InvalidArguments(self._tool, [fault], [()])
        try:
            return self._model.model_validate(dict(arguments))
        except ValidationError as error:
            raise misfit(self._tool, error, arguments, list(self._fields.values())) from error


def misfit(tool: str, error: ValidationError, arguments: Any, known: list[str]) -> InvalidArguments:
    """Convert pydantic's errors to `InvalidArguments`. `known`: the names of the tool's arguments."""
    details = error.errors(include_url=False)
    faults = [_fault(detail, known) for detail in details]
    return InvalidArguments(tool, faults, [_place(detail, arguments) for detail in details])


def _build_model(tool: str, signature: ToolSignature, descriptions: Mapping[str, str]) -> type[BaseModel]:
    """Make the model with neutral field names and the arguments' names as aliases.

    An argument may have any name then; as a field, `json`, `schema` or `_x` would clash with pydantic's own.
    """
    fields: dict[str, Any] = {
        f"a{index}": _field(argument, descriptions.get(argument.name))
        for index, argument in enumerate(signature.arguments)
    }
    # Arguments are stored as JSON, which has no NaN and no infinity.
    config = ConfigDict(extra="forbid", allow_inf_nan=False)
    return create_model(f"{tool}_arguments", __config__=config, **fields)


def _field(argument: Argument, description: str | None) -> tuple[Any, Any]:
    metadata = getattr(argument.annotation, "__metadata__", ())
    if any(isinstance(item, FieldInfo) and item.description for item in metadata):
        description = None  # the annotation's own description wins
    default = PydanticUndefined if argument.is_required else argument.default
    if description is None:
        return Annotated[argument.annotation, Field(alias=argument.name)], Field(default)
    return Annotated[argument.annotation, Field(alias=argument.name, description=description)], Field(default)


def _json_schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=_QuietSchema)
    schema.pop("title", None)
    schema.setdefault("properties", {})
    return schema


def _fault(detail: ErrorDetails, known: list[str]) -> str:
    """Format one fault in a line: the field, the problem, and the value shortened."""
    where = reduce(
        lambda path, part: f"{path}[{part}]" if isinstance(part, int) else f"{path}.{part}", detail["loc"], ""
    )
    problem = _PROBLEMS.get(detail["type"], detail["msg"][:1].lower() + detail["msg"][1:])
    line = f"{where.lstrip('.')}: {problem}"
    if detail["type"] == "missing":
        return line
    if detail["type"] == "extra_forbidden" and len(detail["loc"]) == 1:
        line += f" (it has: {', '.join(known) or 'none'})"
    # The message is stored and shown, unlike the arguments themselves.
    named_so = any(is_secret_name(str(part)) for part in detail["loc"])
    return line if named_so else f"{line}, got {_shortened(detail['input'])}"


def _place(detail: ErrorDetails, arguments: Any) -> Place:
    """Return the fault's place, without pydantic's own steps in between (the union member that did not fit)."""
    value, place = arguments, list[str | int]()
    for part in detail["loc"]:
        inside: Any = dict(enumerate(value)) if isinstance(value, list) else value
        if isinstance(inside, Mapping) and part in inside:
            value = inside[part]
            place.append(part)
    if detail["type"] == "missing":
        place.append(detail["loc"][-1])
    return tuple(place)


def _shortened(value: Any) -> str:
    text = repr(redacted(value))
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"
