"""Defects that let data reach another tenant, or another session."""

from collections.abc import Awaitable, Callable
from typing import Any

from baton.server.api import app_events
from baton.server.api.jobs import job
from baton.store.redis.admission import Admission, AdmissionControl
from tests.simulation import plan
from tests.simulation.planting import around, defects


async def _under_one_key(first_value: Callable[..., Awaitable[str]], of: Any, key: str, value: str) -> str:
    return await first_value(of, key.partition(":")[0], value)


async def _of_all_tenants(line: Callable[..., Awaitable[dict[str, Any]]], of: Any, tenant: str, session_id: str) -> Any:
    others = {entry.tenant for entry in (await of.live()).values()} - {tenant}
    found = dict(await line(of, tenant, session_id))
    for other in sorted(others):
        found |= await line(of, other, session_id)
    return found


def _of_everybody(name: Callable[[str, str], str], _tenant: str, key: str) -> str:
    return name("", key)


DEFECTS = defects(
    plan.EVENT_SEEDS + plan.TENANT_SEEDS,
    an_api_answer_is_a_known_one={
        "an event's Idempotency-Key is everybody's": around(app_events, "app_event_id", _of_everybody)
    },
) + defects(
    plan.STEERING_SEEDS + plan.TENANT_SEEDS,
    what_moves_stays_with_its_tenant={
        "all messages go to whoever got the first one": around(Admission, "first_value", _under_one_key),
        "a session's line has jobs of other tenants": around(AdmissionControl, "line", _of_all_tenants),
    },
    an_api_answer_is_a_known_one={
        "a job's Idempotency-Key is everybody's": around(job, "job_id_from_key", _of_everybody)
    },
)
