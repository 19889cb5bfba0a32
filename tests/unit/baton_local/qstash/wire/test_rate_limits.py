import pytest

from baton_local.qstash.core.tenant import SigningKeys, Tenant
from baton_local.qstash.wire import messages, publishing
from baton_local.qstash.wire.app import RateLimits
from baton_local.qstash.wire.routes import ROUTES
from baton_local.stand_in.api_error import ApiError

LIST = next(route for route in ROUTES if route.handler is messages.list_dlq)
PUBLISH = next(route for route in ROUTES if route.handler is publishing.publish)
NOW_MS = 1_700_000_000_000


def a_tenant() -> Tenant:
    return Tenant("u", SigningKeys("a", "b", ("a", "b")))


def test_calls_per_second_are_bound_but_publishing_is_not() -> None:
    limits, tenant = RateLimits(2, None), a_tenant()
    for _ in range(5):
        limits.check(tenant, PUBLISH, NOW_MS)
    for _ in range(2):
        limits.check(tenant, LIST, NOW_MS)
    with pytest.raises(ApiError) as refusal:
        limits.check(tenant, LIST, NOW_MS + 999)
    assert refusal.value.status == 429
    assert dict(refusal.value.headers) == {
        "Burst-RateLimit-Limit": "2",
        "Burst-RateLimit-Remaining": "0",
        "Burst-RateLimit-Reset": "1700000001",
    }
    limits.check(tenant, LIST, NOW_MS + 1_000)


def test_messages_per_day_are_bound() -> None:
    limits, tenant = RateLimits(None, 3), a_tenant()
    tenant.counters["published"] = 100
    for _ in range(3):
        limits.check(tenant, PUBLISH, NOW_MS)
        tenant.counters["published"] += 1
    with pytest.raises(ApiError) as refusal:
        limits.check(tenant, PUBLISH, NOW_MS)
    assert [name for name, _ in refusal.value.headers] == ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"]
    limits.check(tenant, LIST, NOW_MS)
    limits.check(tenant, PUBLISH, NOW_MS + 86_400_000)


def test_no_setting_means_no_limit() -> None:
    limits, tenant = RateLimits(None, None), a_tenant()
    for _ in range(1_000):
        limits.check(tenant, LIST, NOW_MS)
        limits.check(tenant, PUBLISH, NOW_MS)
