"""Defects of versions side by side: what one of them sends or stores is not what the other one takes it for."""

import json
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from baton.engine.state import CallRecord
from baton.runtime import webhook
from baton_events.errors import MalformedEventError, NewerVersionError
from baton_events.schema import Event
from tests.simulation import store_faults
from tests.simulation.planting import Defect, Patch

_Parse = Callable[[bytes], Event]


def _wanting_a_version(parse: _Parse) -> _Parse:
    def wanting(body: bytes) -> Event:
        if b'"schemaVersion"' not in body:
            raise MalformedEventError("an event has a schemaVersion")
        return parse(body)

    return wanting


def _wanting_known_fields(parse: _Parse) -> _Parse:
    def wanting(body: bytes) -> Event:
        event = parse(body)
        unknown = set(json.loads(body)) - set(json.loads(event.model_dump_json(by_alias=True)))
        if unknown:
            raise MalformedEventError(f"unknown fields {unknown}")
        return event

    return wanting


def _refusing_newer_ones(parse: _Parse) -> _Parse:
    def refusing(body: bytes) -> Event:
        try:
            return parse(body)
        except NewerVersionError as error:
            raise MalformedEventError(str(error)) from error

    return refusing


def _forgetting_arguments(written: Callable[..., Any]) -> Callable[..., Any]:
    def forgetting(*arguments: Any) -> Any:
        changes = written(*arguments)
        calls = tuple(_without_arguments(record) for record in changes.calls)
        return replace(changes, calls=calls)

    return forgetting


def _without_arguments(record: CallRecord) -> CallRecord:
    return replace(record, arguments={})


DEFECTS = (
    Defect(
        "an event without a version is refused",
        "undeliverable_only_with_the_budget_spent",
        (Patch(webhook, "parse_event", _wanting_a_version),),
        deploys=True,
    ),
    Defect(
        "an event with a field of another version is refused",
        "undeliverable_only_with_the_budget_spent",
        (Patch(webhook, "parse_event", _wanting_known_fields),),
        deploys=True,
    ),
    Defect(
        "an event of a newer version is refused for good",
        "undeliverable_only_with_the_budget_spent",
        (Patch(webhook, "parse_event", _refusing_newer_ones),),
        deploys=True,
    ),
    Defect(
        "another version stores calls without their arguments",
        "a_call_keeps_its_arguments",
        (Patch(store_faults, "as_another_version_writes", _forgetting_arguments),),
        deploys=True,
    ),
)
