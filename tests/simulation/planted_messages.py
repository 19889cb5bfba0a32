"""Defects about messages that come while their first delivery goes on, and about what another version writes."""

import json
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from baton.engine.commit import claiming, operations
from baton.engine.commit.answers import Committed
from baton.engine.commit.draft import Draft
from baton.engine.effects import Changes
from baton.engine.work_items import WorkItem
from baton.worker.runtime import pipeline, webhook
from baton_events.errors import MalformedEventError, NewerVersionError
from baton_events.schema import Event, encode_event
from tests.simulation import plan, store_faults
from tests.simulation.planting import around, constant, defects, given, replaced

_Parse = Callable[[bytes], Event]


def _unmarked(_draft: Draft, item: WorkItem, *_: Any, **__: Any) -> WorkItem:
    return item


def _claimed_only(dispatch: Callable[..., Any], *arguments: Any, free: bool = False) -> Any:
    del free
    return dispatch(*arguments)


def _unmarked_after(continuation: Any, draft: Draft, *arguments: Any) -> Committed:
    before = draft.items
    committed: Committed = continuation(draft, *arguments)
    draft.put_items(*[before[item.key] for item in committed.pending if not item.owner])
    return committed


def _wanting_a_version(parse: _Parse, body: bytes) -> Event:
    if b'"schemaVersion"' not in body:
        raise MalformedEventError("an event has a schemaVersion")
    return parse(body)


def _wanting_known_fields(parse: _Parse, body: bytes) -> Event:
    event = parse(body)
    unknown = set(json.loads(body)) - set(json.loads(encode_event(event)))
    if unknown:
        raise MalformedEventError(f"unknown fields {unknown}")
    return event


def _refusing_newer_ones(parse: _Parse, body: bytes) -> Event:
    try:
        return parse(body)
    except NewerVersionError as error:
        raise MalformedEventError(str(error)) from error


def _forgetting_arguments(written: Callable[..., Changes], *arguments: Any) -> Changes:
    changes = written(*arguments)
    return replace(changes, calls=tuple(replace(record, arguments={}) for record in changes.calls))


DEFECTS = (
    *defects(
        plan.CUTTING_SEEDS,
        what_goes_on_in_place_is_guaranteed={
            "a COMMIT goes on though its work item has been dispatched": constant(
                claiming, "is_released", answer=False
            ),
            "who works does not learn that its message came again": replaced(claiming, "release", _unmarked),
            "who finds its own work item busy does not say so": given(operations, "_refused", 2, relay_id=""),
            "the same message gets back what it has dispatched": given(claiming, "take", 2, redelivered=False),
        },
        what_begins_is_guaranteed={
            "what follows of who is released is not marked as dispatched": around(
                operations, "inline_continuation", _unmarked_after
            ),
            "what somebody else dispatches is begun in place": given(
                pipeline.Pipeline, "_may_continue", 2, redelivered=False
            ),
        },
    ),
    *defects(
        plan.CUTTING_SEEDS + plan.WAITING_SEEDS,
        what_goes_on_in_place_is_guaranteed={
            "what nobody has claimed yet is not marked as dispatched": around(operations, "dispatch", _claimed_only)
        },
    ),
    *defects(
        plan.DEPLOYING_SEEDS,
        undeliverable_only_with_the_budget_spent={
            "an event without a version is refused": around(webhook, "parse_event", _wanting_a_version),
            "an event with a field of another version is refused": around(
                webhook, "parse_event", _wanting_known_fields
            ),
            "an event of a newer version is refused for good": around(webhook, "parse_event", _refusing_newer_ones),
        },
        a_call_keeps_its_arguments={
            "another version stores calls without their arguments": around(
                store_faults, "as_another_version_writes", _forgetting_arguments
            )
        },
    ),
)
