"""A change of what is stored or sent does not go unnoticed, and none loses what an earlier version has written."""

from dataclasses import replace
from typing import Any, get_type_hints

import msgspec
import pytest
from msgspec.inspect import DataclassType, Field, StructType, type_info

from tests.upgrade.make import developed
from tests.upgrade.saved import versions
from tests.upgrade.shapes import STORED, Schema, differences, kept, of_this_code, shapes_of

WHAT_TO_DO = """
What is stored or sent differs from what the corpus of {version} was made of:
  {found}
Raise the version in pyproject.toml if {version} is released, then run
  python -m tests.upgrade.make --version {developed}
and look at what else has changed in tests/upgrade/corpus (docs/upgrading.md)."""
# What a version before sent, and why nothing is lost with it.
GIVEN_UP = {
    "LoopPayload.ticket is gone (or renamed): what is stored under it is lost": "its backup dispatches the request",
    "Ticket is gone": "the same",
}
BROKEN = """
What version {version} has stored or sent means something else to this code:
  {found}
Give a new field a default, and leave the old ones as they are; or raise {number} and bring the older form to today's
in {place}. Instances of {version} then leave such states to those of this version (docs/upgrading.md)."""


def unnoticed(old: Schema, new: Schema) -> list[str]:
    """What has changed since the newest corpus was made."""
    numbers = ("state_version", "schema_version", "entry_version")
    raised = [f"{name} is {getattr(new, name)}" for name in numbers if getattr(old, name) != getattr(new, name)]
    both = (*differences(old.stored, new.stored), *differences(old.events, new.events))
    return raised + [text for text, _ in both if text not in GIVEN_UP]


def lost(old: Schema, new: Schema) -> list[tuple[str, str, str]]:
    """What an earlier version has written that means something else now, while no number says so."""
    rows = (
        (
            old.stored,
            new.stored,
            old.state_version == new.state_version,
            "STATE_VERSION",
            "baton/engine/commit/codec.py",
        ),
        (old.events, new.events, old.schema_version == new.schema_version, "SCHEMA_VERSION", "baton_events/schema.py"),
    )
    return [
        (text, number, place)
        for before, now, same, number, place in rows
        if same
        for text, is_fine in differences(before, now)
        if not is_fine and text not in GIVEN_UP
    ]


def test_the_newest_corpus_is_made_of_what_is_stored_now() -> None:
    """Else a situation that has changed would not be kept for later versions."""
    newest = versions()[-1]
    found = unnoticed(kept(newest), of_this_code())
    assert not found, WHAT_TO_DO.format(version=newest, found="\n  ".join(found), developed=developed())
    assert newest == developed(), f"version {developed()} has no corpus: python -m tests.upgrade.make"


@pytest.mark.parametrize("version", versions())
def test_what_was_stored_means_the_same_or_a_number_says_that_it_does_not(version: str) -> None:
    """Where one was raised, test_corpus shows that the older form is still read."""
    for text, number, place in lost(kept(version), of_this_code()):
        pytest.fail(BROKEN.format(version=version, found=text, number=number, place=place))


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
    "a record gone": replace(NOW, stored={name: shape for name, shape in NOW.stored.items() if name != "Leg"}),
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
    fact = payload["fact"].replace("Removal", "Removal | Renaming")
    wider = replace(NOW, events={**NOW.events, "LoopPayload": {**payload, "fact": fact}})
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
