"""What the records of a job would not have, or another value in its place, is refused before there is a job."""

import pytest

from baton import Registry
from baton.sdk.agents.registry import RegistryError
from tests.unit.baton.sdk.workflows.conftest import Load

HEAD = """
from datetime import date, timedelta
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, Secret, SecretBytes, SecretStr, WrapSerializer
from pydantic import field_serializer, model_serializer
from pydantic.dataclasses import dataclass
from typing import Annotated, Any

class Hidden(BaseModel):
    note: str = Field(exclude=True)

@dataclass
class Kept:
    note: str = Field(exclude=True)

class Dated(BaseModel):
    day: date

    @field_serializer("day")
    def in_words(self, day):
        return f"{day:%d.%m.%Y}"

class Inherits(Dated):
    n: int

class Whole(BaseModel):
    n: int

    @model_serializer
    def whole(self):
        return {"m": self.n}

class Year(BaseModel):
    day: Annotated[date, PlainSerializer(lambda day: day.year)]

class Years(BaseModel):
    days: list[Annotated[date, WrapSerializer(lambda day, _: day.year)]]

class Lasts(BaseModel):
    model_config = ConfigDict(ser_json_timedelta="float")
    lasts: timedelta

class Held(BaseModel):
    hidden: Hidden | None = None

class Login(BaseModel):
    password: SecretStr

class Day(Secret[date]):
    pass

@tool
async def made(n: int) -> Hidden:
    \"\"\"Make one.

    Args:
        n: a number.
    \"\"\"
    return Hidden(note="a")
"""
WAY = "so a job would not have the field's value in its records; leave it out of this model, and choose in a tool"
STARS = "is stars in the records of a job, so a workflow has no value of it; read the secret in the tool that needs it"
FAULTS = [
    ("x: Hidden", "return x.note", f"Hidden.note has exclude=…, {WAY}"),
    ("x: Kept", "return x.note", f"Kept.note has exclude=…, {WAY}"),
    ("n: int, x: Held | None", "return n", f"Hidden.note has exclude=…, {WAY}"),
    ("n: int", "return (await made(n)).note", f"Hidden.note has exclude=…, {WAY}"),
    ("n: int", "return Hidden(note='b').note", f"Hidden.note has exclude=…, {WAY}"),
    ("x: Dated", "return x.day.year", f"Dated.in_words is a serializer, {WAY}"),
    ("x: Inherits", "return x.day.year", f"Inherits.in_words is a serializer, {WAY}"),
    ("x: Whole", "return x.n", f"Whole.whole is a serializer, {WAY}"),
    ("x: Year", "return x.day.year", f"Year.day has a serializer, {WAY}"),
    ("x: Years", "return x.days[0].year", f"Years.days has a serializer, {WAY}"),
    ("x: Lasts", "return x.lasts.days", f"Lasts has the option ser_json_timedelta, {WAY}"),
    ("n: int, x: SecretStr", "return x.get_secret_value()", f"parameter x: a SecretStr {STARS}"),
    ("n: int, x: list[SecretBytes] | None", "return n", f"parameter x: a SecretBytes {STARS}"),
    ("x: Login", "return x.password.get_secret_value()", f"Login.password: a SecretStr {STARS}"),
    ("n: int, x: Day", "return n", f"parameter x: a Day {STARS}"),
    ("n: int, x: Secret[int]", "return n", f"parameter x: a pydantic.types.Secret[int] {STARS}"),
]


@pytest.mark.parametrize(("given", "body", "fault"), FAULTS, ids=[f"{one[0]} {one[1]}" for one in FAULTS])
def test_a_value_that_no_record_would_have_is_refused(load: Load, given: str, body: str, fault: str) -> None:
    module = load(f"{HEAD}\n@workflow\nasync def main({given}) -> Any:\n    {body}\n")
    with pytest.raises(RegistryError) as refused:
        Registry(workflows=[module.main])
    assert f"workflow 'main': {fault}" in str(refused.value)
