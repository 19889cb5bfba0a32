"""Check the arguments a model sends against a tool's signature, and describe that signature as a JSON schema.

Invariant: the function gets its arguments through exactly one validation of the JSON that was sent. A check leaves no
trace in that JSON, whatever a type's validators do. Unknown arguments are refused, because a model that misspells one
must learn of it. Must not: run the tool, or convert the JSON that is stored.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticUndefined, SchemaError

from baton.sdk.records.redaction import copied_json
from baton.sdk.tools.arguments import InvalidArguments, misfit, shortened
from baton.sdk.tools.signature import Argument, ToolSignature
from baton_events.ids import canonical_json
from baton_events.values.text import text_of

# How pydantic refuses a type.
SCHEMA_ERRORS = (PydanticUserError, SchemaError)
# The words of a schema whose values are numbers, or any value.
_NUMBERS = frozenset(
    {"default", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "examples"}
)


class _QuietSchema(GenerateJsonSchema):
    """The schema without titles, which repeat names, and without a warning for a default that JSON cannot hold."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - as pydantic declares it

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - signature of pydantic's hook
        return False


class ArgumentSchema:
    """The arguments of one tool, as pydantic sees them."""

    def __init__(self, tool: str, signature: ToolSignature, descriptions: Mapping[str, str]) -> None:
        self._tool = tool
        self._fields = _field_names(signature)
        try:
            self._model = _build_model(tool, signature, descriptions, list(self._fields))
            self.json_schema = _json_schema(self._model)
        except SCHEMA_ERRORS as error:
            raise TypeError(f"tool {tool!r}: an argument's type cannot be read from JSON: {words_of(error)}") from error
        known = zip(signature.arguments, self._model.model_fields.items(), strict=True)
        # Every name at the top of what is sent that is read.
        choices = [choice for info in self._model.model_fields.values() for choice in _choices(info)]
        self.names = {choice if isinstance(choice, str) else str(choice.path[0]) for choice in choices}
        # Their defaults are pydantic's: the function has none, or gets them validated.
        self._filled = {key for each, (key, info) in known if each.is_required or info.validate_default}

    def check(self, arguments: Any) -> None:
        """Refuse arguments that the function cannot be called with."""
        self._read(arguments)

    def to_keywords(self, arguments: Any) -> dict[str, Any]:
        """Return the arguments as Python values for the function's call; its own defaults are left to it."""
        read = self._read(arguments)
        given = read.model_fields_set | self._filled
        return {name: getattr(read, key) for key, name in self._fields.items() if key in given}

    def _read(self, arguments: Any) -> BaseModel:
        if not isinstance(arguments, dict | Mapping):
            fault = f"arguments: must be an object, got {shortened(arguments)}"
            raise InvalidArguments(self._tool, [fault], [()])
        try:
            return self._model.model_validate(copied_json(dict(arguments)))
        except ValidationError as error:
            raise misfit(self._tool, error, arguments, list(self.json_schema["properties"])) from error
        except BaseException as error:  # a type's own validators are foreign code, and no exit of theirs ends a step
            fault = f"arguments: {type(error).__name__}: {text_of(error)}"
            raise InvalidArguments(self._tool, [fault], [()]) from error


def _field_names(signature: ToolSignature) -> dict[str, str]:
    """Return the model's field names with the arguments' names, which they are wherever pydantic allows it.

    An argument may have any name; as a field, `json`, `schema` or `_x` would clash with pydantic's own.
    """
    names = [argument.name for argument in signature.arguments]
    clash = {name for name in names if name.startswith(("_", "model_")) or hasattr(BaseModel, name)}
    return {f"field{'_' * max(map(len, names))}{at}" if name in clash else name: name for at, name in enumerate(names)}


def _build_model(
    tool: str, signature: ToolSignature, descriptions: Mapping[str, str], names: Sequence[str]
) -> type[BaseModel]:
    """Make the model; its fields have these names, in the order of the arguments."""
    fields: dict[str, Any] = {
        name: _field(argument, descriptions.get(argument.name))
        for name, argument in zip(names, signature.arguments, strict=True)
    }
    # JSON has no NaN and no infinity, so neither has a number that is written as text.
    config = ConfigDict(extra="forbid", allow_inf_nan=False)
    return create_model(f"{tool}_arguments", __config__=config, **fields)


def _field(argument: Argument, description: str | None) -> tuple[Any, Any]:
    own = [item for item in getattr(argument.annotation, "__metadata__", ()) if isinstance(item, FieldInfo)]
    aliases = [choice for item in own for choice in _choices(item)]
    # The annotation's own aliases and description win.
    more: dict[str, Any] = {"validation_alias": AliasChoices(*aliases, argument.name)}
    if description is not None and not any(item.description for item in own):
        more["description"] = description
    default = PydanticUndefined if argument.is_required else argument.default
    return Annotated[argument.annotation, Field(**more)], Field(default)


def _choices(info: FieldInfo) -> Sequence[str | AliasPath]:
    alias = info.validation_alias or info.alias
    return alias.choices if isinstance(alias, AliasChoices) else [alias] if alias else []


def words_of(error: Exception) -> str:
    """Return why pydantic makes no schema, in one line."""
    return " ".join(str(getattr(error, "message", error)).split())


def finite(schema: Any) -> Any:
    """Return the schema without the bounds and defaults that JSON cannot hold (`lt=math.inf`): no provider reads it."""
    if isinstance(schema, dict):
        cleaned = {name: finite(one) for name, one in schema.items()}  # a property may be named as a keyword is
        return {name: one for name, one in cleaned.items() if not (name in _NUMBERS and _is_odd(one))}
    return [finite(one) for one in schema] if isinstance(schema, list) else schema


def _is_odd(value: Any) -> bool:
    try:
        canonical_json(value)
    except ValueError:
        return True
    return False


def _json_schema(model: type[BaseModel]) -> dict[str, Any]:
    schema: dict[str, Any] = finite(model.model_json_schema(schema_generator=_QuietSchema))
    schema.pop("title", None)
    schema.setdefault("properties", {})
    return schema
