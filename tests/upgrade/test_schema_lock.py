"""A change of what is stored or sent does not go unnoticed, and one that would lose something is told apart."""

from dataclasses import replace
from typing import Any, get_type_hints

import msgspec
import pytest
from msgspec.inspect import DataclassType, Field, StructType, type_info

from tests.upgrade.shapes import STORED, Schema, differences, known, of_this_code, shapes_of

WHAT_TO_DO = """
What is stored or sent differs from what tests/upgrade/schema.lock has:
  {found}
If a version with that schema is released, what it has written must keep its meaning: give a new field a default, leave
the old ones as they are, or raise STATE_VERSION or SCHEMA_VERSION (README.md beside it). Then run
  python -m tests.upgrade.shapes"""


def unnoticed(old: Schema, new: Schema) -> list[str]:
    """What has changed; first what would lose something while no number says so."""
    numbers = ("state_version", "schema_version", "entry_version")
    raised = [f"{name} is {getattr(new, name)}" for name in numbers if getattr(old, name) != getattr(new, name)]
    both = (*differences(old.stored, new.stored), *differences(old.events, new.events))
    return [f"LOST: {text}" for text in lost(old, new)] + raised + [text for text, _ in both]


def lost(old: Schema, new: Schema) -> list[str]:
    """What the old one has written that means something else now, while no number says so."""
    stored = (old.stored, new.stored, old.state_version == new.state_version)
    sent = (old.events, new.events, old.schema_version == new.schema_version)
    return [
        text
        for before, now, same in (stored, sent)
        if same
        for text, is_fine in differences(before, now)
        if not is_fine
    ]


def test_what_is_stored_and_sent_is_what_is_known() -> None:
    found = unnoticed(known(), of_this_code())
    assert not found, WHAT_TO_DO.format(found="\n  ".join(found))


NOW = of_this_code()
JOB = NOW.stored["Job"]
assert isinstance(JOB, dict)


def with_job(**changes: str | None) -> Schema:
    """This code's schema with other fields of a job; None: without it."""
    assert isinstance(JOB, dict)
    other = {**JOB, **changes}
    job = {name: shape for name, shape in other.items() if shape is not None}
    return replace(NOW, stored={**NOW.stored, "Job": job})


PLANTED = {
    "a field renamed": with_job(agent=None, agent_name="string required"),
    "a field gone": with_job(priority=None),
    "a field without a default": with_job(colour="string required"),
    "another type": with_job(turn="string required"),
    "another default": with_job(run="integer = 0"),
    "a status gone": replace(NOW, stored={**NOW.stored, "JobStatus": ["pending"]}),
    "a record gone": replace(NOW, stored={name: shape for name, shape in NOW.stored.items() if name != "WorkItem"}),
    "an event gone": replace(NOW, events={name: shape for name, shape in NOW.events.items() if name != "Removal"}),
}


@pytest.mark.parametrize("changed", PLANTED.values(), ids=list(PLANTED))
def test_what_would_lose_something_is_found(changed: Schema) -> None:
    """Planted; and it is fine once the number is raised."""
    assert unnoticed(NOW, changed)
    assert lost(NOW, changed)
    raised = replace(changed, state_version=NOW.state_version + 1, schema_version=NOW.schema_version + 1)
    assert not lost(NOW, raised)
    assert unnoticed(changed, raised)


def test_a_field_with_a_default_loses_nothing_and_is_noticed() -> None:
    """The usual way to store more."""
    assert unnoticed(NOW, with_job(colour='string = "red"')) == ['Job.colour is new: string = "red"']
    assert not lost(NOW, with_job(colour='string = "red"'))


def test_what_may_hold_more_loses_nothing() -> None:
    """Another kind of fact, for one."""
    payload = NOW.events["LoopPayload"]
    assert isinstance(payload, dict)
    command = payload["command"].replace("Removal", "Removal | Renaming")
    wider = replace(NOW, events={**NOW.events, "LoopPayload": {**payload, "command": command}})
    assert unnoticed(NOW, wider)
    assert not lost(NOW, wider)
    assert lost(wider, NOW)


@pytest.mark.parametrize("kind", STORED, ids=lambda kind: kind.__name__)
def test_a_renamed_field_of_each_stored_record_is_found(kind: type[Any]) -> None:
    """By the record's own code, not by what is written down of it."""
    record, hints = type_info(kind), get_type_hints(kind)
    assert isinstance(record, DataclassType | StructType)
    other = msgspec.defstruct(
        kind.__name__,
        [
            (one.name if number else f"{one.name}_renamed", hints[one.name], _copy(one))
            for number, one in enumerate(record.fields)
        ],
    )
    assert lost(NOW, replace(NOW, stored={**NOW.stored, **shapes_of(other)}))


def _copy(one: Field) -> Any:
    if one.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=one.default_factory)
    return msgspec.field(default=one.default)
