"""A workflow's input: its parameters by name, or the one model that takes all of it.

Invariant: it is checked by the function's annotations before a job begins. Must not: know how the code runs.
"""

import dataclasses
import inspect
import typing
from types import FunctionType
from typing import Any

from pydantic import BaseModel
from pydantic_core import ValidationError, to_jsonable_python

from baton.sdk.agents.runner import JobInfo
from baton.sdk.tools.argument_schema import ArgumentSchema
from baton.sdk.tools.arguments import InvalidArguments, Place
from baton.sdk.tools.return_type import at_hand
from baton.sdk.tools.signature import Argument, ToolSignature

_REFUSED = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


class InvalidInput(InvalidArguments):
    """A job's data does not fit its workflow."""

    def __str__(self) -> str:
        return "\n".join([f"invalid input for workflow {self.tool!r}:", *self.faults])


class _AsGiven(ArgumentSchema):
    """Arguments that are checked and passed as they are: a model may read other names than it shows."""

    def to_keywords(self, arguments: Any) -> dict[str, Any]:
        """Return the arguments after their check."""
        self.check(arguments)
        return dict(arguments)


class Input:
    """A workflow's input: its parameters by name, or the one model that takes all of it."""

    def __init__(self, name: str, function: FunctionType) -> None:
        self._name = name
        self.hints = _hints_of(function)
        parameters = [one for one in inspect.signature(function).parameters.values() if one.kind not in _REFUSED]
        self.job = next((one.name for one in parameters if self.hints.get(one.name) is JobInfo), "")
        taken = [one for one in parameters if one.name != self.job]
        arguments = tuple(Argument(one.name, self.hints.get(one.name, Any), one.default) for one in taken)
        self.names = tuple(one.name for one in taken)
        self.required = tuple(one.name for one in arguments if one.is_required)
        self._body = self.names[0] if len(taken) == 1 and _is_model(arguments[0].annotation) else ""
        self._signature = ToolSignature(arguments, None)
        self.schema = ArgumentSchema(name, self._signature, {})

    def check(self, data: dict[str, Any]) -> None:
        """Check a job's data. Raises InvalidArguments: it does not fit; each fault names the field."""
        read = self._read(data)
        try:
            for value in read.values():
                to_jsonable_python(value, fallback=repr)
        except ValidationError as error:  # what is in an `Iterable` is checked as it is read
            found = [(one["loc"], one["msg"]) for one in error.errors()]
            faults = [f"{'.'.join(map(str, place)) or self.names[0]}: {text}" for place, text in found]
            raise InvalidInput(self._name, faults, [place for place, _ in found]) from error

    def values(self, job: JobInfo) -> dict[str, Any]:
        """Return the function's arguments, of their annotated types. Raises InvalidArguments: as above."""
        read = {name: at_hand(value) for name, value in self._read(job.input_data).items()}
        return read | ({self.job: job} if self.job else {})

    def _read(self, data: dict[str, Any]) -> dict[str, Any]:
        is_whole = self._body and (data or self.required)
        try:
            return self.schema.to_keywords({self._body: data} if is_whole else data)
        except InvalidArguments as error:
            raise self._misfit(error) from error

    def _misfit(self, error: InvalidArguments) -> InvalidArguments:
        begins = f"{self._body}."
        faults = [
            fault.removeprefix(begins).replace("an argument of this tool", "known here") for fault in error.faults
        ]
        places: list[Place] = [
            place[1:] if self._body and place[:1] == (self._body,) else place for place in error.places
        ]
        return InvalidInput(self._name, faults, places)

    def data_of(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return a call's arguments as the data of a job."""
        body: dict[str, Any] = arguments.get(self._body, {}) if self._body else arguments
        return body

    def as_given(self) -> ArgumentSchema:
        """Return the schema of calls: they are read once, by the job that they start."""
        return _AsGiven(self._name, self._signature, {})


def _is_model(value: object) -> bool:
    """Return whether it is a class of pydantic models or a data class."""
    return isinstance(value, type) and (issubclass(value, BaseModel) or dataclasses.is_dataclass(value))


def _hints_of(function: FunctionType) -> dict[str, Any]:
    inner = inspect.getclosurevars(function).nonlocals
    try:
        return typing.get_type_hints(function, localns={"JobInfo": JobInfo, **inner}, include_extras=True)
    except (NameError, AttributeError, TypeError) as error:
        raise TypeError(
            f"workflow {function.__qualname__}: cannot resolve an annotation ({error}); define or import the name"
            " in its module, outside of 'if TYPE_CHECKING:'"
        ) from error
