"""Old and new code side by side: some instances write as another version would, and everybody must go on.

An older version leaves out fields that it does not know (here: those that hold their default), a newer one adds fields
that nobody here knows. Invariant: what is read back means what was written. Not here: a field of a newer version whose
value is lost when an older one writes the record anew; that is what versions of a state are for.
"""

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct
from msgspec.structs import fields, replace
from pydantic_core import from_json, to_json

from baton.engine.all_jobs.slots import SlotState
from baton.engine.commit.codec import dump, job_values, load_call, load_item, load_job, load_slot_state
from baton.engine.effects import Changes
from baton.engine.state import Job
from baton_events.schema import SCHEMA_VERSION
from tests.simulation.instances import instance_of
from tests.simulation.invocation import Invocation

if TYPE_CHECKING:
    from tests.simulation.queue import Message
    from tests.simulation.world import World

_T = TypeVar("_T", bound=Struct)
NEWER_SCHEMA = SCHEMA_VERSION + 1
_UNKNOWN = {"aFieldOfAnotherVersion": {"of": "another version"}}


def is_other_version(world: "World", who: Invocation) -> bool:
    """Whether this invocation runs on an instance that has other code: every second one has."""
    return "mixed" in world.plan.rates and instance_of(world.dice, who) % 2 == 1


def is_newer_version(world: "World", who: Invocation) -> bool:
    """Whether the other code is a newer version, of whose events an older one knows that it does not know them."""
    return world.plan.deploying and is_other_version(world, who)


def _text(value: Any) -> str:
    return to_json(value).decode()


def body_for(world: "World", who: Invocation, message: "Message") -> str:
    """A message's body as this instance is given it.

    In a world that deploys, the other version is the newer one, and says so in the events that it sends: an instance of
    the older one leaves them to it. Once the deploy is over there is none of the older one any more.
    """
    body, newer = message.outgoing.body, message.newer if message.source is None else message.source.newer
    if not newer or is_other_version(world, who) or world.loop.seconds >= world.plan.deployed_at:
        return body
    who.faulty = True  # it is refused for no fault of anybody's
    found = from_json(body)
    if message.source is None:
        return _text({**found, "schemaVersion": NEWER_SCHEMA})
    source = {**from_json(base64.b64decode(found["sourceBody"])), "schemaVersion": NEWER_SCHEMA}
    return _text({**found, "sourceBody": base64.b64encode(to_json(source)).decode()})


def as_another_version_writes(world: "World", changes: Changes) -> Changes:
    """The same changes, as they are read back from what another version has written of them."""

    def again(record: _T, load: Callable[[str], _T]) -> _T:
        read = load(_text({**_without_defaults(type(record), from_json(dump(record))), **_UNKNOWN}))
        if read != record:
            world.broken("versions_understand_each_other", f"{record} of another version is read as {read}")
        return read

    return replace(
        changes,
        job=again(changes.job, load_job) if changes.job else None,
        items=tuple(again(item, load_item) for item in changes.items),
        calls=tuple(again(call, load_call) for call in changes.calls),
        child=as_another_version_writes(world, changes.child) if changes.child else None,
        slot_state=again(changes.slot_state, load_slot_state) if changes.slot_state else None,
    )


def event_of_another_version(body: str) -> str:
    """An event, or a sweep's order, as another version publishes it."""
    event = from_json(body) if body else {}
    payload = event.get("payload")
    if payload is None:
        return _text({**event, **_UNKNOWN}) if body else body
    if payload.get("attempt") == 1:
        del payload["attempt"]
    event.pop("schemaVersion", None)
    job = payload.get("command", {}).get("job")
    if job:
        payload["command"]["job"] = {**_without_defaults(Job, job), **_UNKNOWN}
    payload.update(_UNKNOWN)
    return _text({**event, **_UNKNOWN})


def _without_defaults(kind: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    defaults = _DEFAULTS.get(kind, {})  # others leave theirs out, whichever version writes them
    return {name: value for name, value in values.items() if name not in defaults or defaults[name] != value}


def _defaults_of(kind: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    optional = {field.name for field in fields(kind) if not field.required}
    return {name: value for name, value in values.items() if name in optional}


_DEFAULTS: dict[type[Any], dict[str, Any]] = {
    Job: _defaults_of(Job, job_values(Job("", "", "", "", 0))),
    SlotState: _defaults_of(SlotState, from_json(dump(SlotState()))),
}
