"""What this server has beside the hosted service's API: counters for cost tests."""

from http import HTTPStatus

from baton_local.qstash.core.answer import Answer
from baton_local.qstash.wire.call import Call


async def counters(call: Call) -> Answer:
    """The caller's own counters, since the data folder was made."""
    tenant = call.tenant
    return Answer(HTTPStatus.OK, {"users": {tenant.user: tenant.counters.as_dict() | {"unfinished": len(tenant.live)}}})
