"""The file of a gate: which stored jobs run again, how, and what their answers must score.

```yaml
mode: offline              # recorded model answers, the code as it is now; or online: ask the models again
cases:
  - name: prices
    job: job_2c5…          # a job's id, or a recording's file
    scorers:
      - {name: right, type: exact, value: Pears are cheaper.}
      - {name: polite, type: python, value: "scorers:polite", min: 0.8}
```
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from jsonschema import SchemaError
from jsonschema.validators import validator_for
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel


class GateFileError(ValueError):
    """The file is none of a gate; the message names each fault and its place."""


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class ScorerSpec(_Part):
    """One score. `min`: the lowest that is good enough, from 0 to 1. `model`: of a judge, whose value is the rubric."""

    name: Annotated[str, Field(min_length=1)]
    type: Literal["exact", "contains", "schema", "python", "judge"]
    value: Any
    min: Annotated[float, Field(ge=0, le=1)] = 1.0
    model: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> "ScorerSpec":
        if self.type == "schema":
            try:
                validator_for(self.value).check_schema(self.value)
            except SchemaError as error:
                raise ValueError(f"its value is no JSON schema: {error.message}") from error
        elif self.type != "exact" and not (isinstance(self.value, str) and self.value):
            raise ValueError(f"the value of a scorer of type {self.type!r} is a text, got {self.value!r}")
        if self.type == "python" and len(self.value.split(":")) != 2:  # noqa: PLR2004 - both sides of it
            raise ValueError(f"its value is MODULE:FUNCTION, got {self.value!r}")
        if self.model is not None and self.type != "judge":
            raise ValueError(f"only a judge has a model, not a scorer of type {self.type!r}")
        return self


class CaseSpec(_Part):
    """One stored job, and its scores."""

    name: Annotated[str, Field(min_length=1)]
    job: Annotated[str, Field(min_length=1)]
    scorers: Annotated[tuple[ScorerSpec, ...], Field(min_length=1)]


class GateSpec(_Part):
    """A gate. Online, `tools_run` is as in a fork, and a job may take `timeout_seconds`."""

    mode: Literal["offline", "online"] = "offline"
    tools_run: Literal["recorded", "again"] = "recorded"
    timeout_seconds: Annotated[float, Field(gt=0)] = 600.0
    cases: Annotated[tuple[CaseSpec, ...], Field(min_length=1)]


def read_gate(path: Path) -> GateSpec:
    """Read a gate's file.

    Raises:
        GateFileError: it cannot be read, or something in it is wrong.
    """
    try:
        return GateSpec.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise GateFileError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GateFileError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'it'}: {fault['msg']}" for fault in error.errors()]
        raise GateFileError(
            "\n".join([f"{path} is no file of a gate:", *(f"- {fault}" for fault in faults)])
        ) from error
