"""A user of the server as a whole: signing keys (qstash.md 9, 19), counters, and forgetting everything, for tests."""

from baton_local.qstash.core import dispatch
from baton_local.qstash.core.answer import Answer, Request, ok
from baton_local.qstash.core.destinations import origin_of
from baton_local.qstash.core.message import Phase
from baton_local.qstash.core.state import SigningKeys, Stored, Tenant, Transition, UserForgotten


def get_keys(_step: Transition, tenant: Tenant, _request: Request) -> Answer:
    """Return the pair that receivers have to be configured with."""
    return ok({"current": tenant.keys.current, "next": tenant.keys.next})


def rotate_keys(step: Transition, tenant: Tenant, request: Request, new_key: str) -> Answer:
    """Set `current := next`, `next := new_key`: messages sent later are signed with the new current one."""
    tenant.keys = SigningKeys(tenant.keys.next, new_key, tenant.keys.configured)
    step.changes.append(Stored("keys", tenant.user, "", tenant.keys))
    return get_keys(step, tenant, request)


def counters(_step: Transition, tenant: Tenant, _request: Request) -> Answer:
    """Return the caller's own counters, since the data folder was made."""
    return ok({"users": {tenant.user: tenant.counters | {"unfinished": len(tenant.live)}}})


def reset(step: Transition, tenant: Tenant, _request: Request) -> Answer:
    """Forget a user's messages, log, dead letters, names, limits, schedules, counters and rotated keys.

    An attempt in flight may still reach its destination; its answer changes nothing.
    """
    capacity = step.state.capacity
    for live in tenant.live.values():
        origin = origin_of(live.message.url)
        capacity.unpark(origin, (tenant.user, live.message.id))
        if live.phase is Phase.ACTIVE:
            capacity.give_back(origin)
    configured = tenant.keys.configured
    step.state.tenants[tenant.user] = Tenant(tenant.user, SigningKeys(*configured, configured))
    step.changes.append(UserForgotten(tenant.user))
    dispatch.pump_capacity(step)
    return ok()
