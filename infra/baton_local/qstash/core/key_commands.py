"""Commands on signing keys (qstash.md 9, 19)."""

from dataclasses import dataclass
from http import HTTPStatus

from baton_local.qstash.core.answer import Answer
from baton_local.qstash.core.changes import ThingStored
from baton_local.qstash.core.state import Transition
from baton_local.qstash.core.tenant import SigningKeys, Tenant


@dataclass(frozen=True, slots=True)
class RotateKeys:
    """`current := next`, `next := new_key`."""

    user: str
    new_key: str


def get_keys(tenant: Tenant) -> Answer:
    """The pair that receivers have to be configured with."""
    return Answer(HTTPStatus.OK, {"current": tenant.keys.current, "next": tenant.keys.next})


def rotate_keys(step: Transition, command: RotateKeys) -> Answer:
    """Messages sent later are signed with the new current key."""
    tenant = step.state.tenant(command.user)
    tenant.keys = SigningKeys(tenant.keys.next, command.new_key, tenant.keys.configured)
    step.changes.append(ThingStored("keys", tenant.user, "", tenant.keys))
    return get_keys(tenant)
