"""Who may use the API."""

import pytest

from baton.api.auth import Principal, parse_keys
from tests.unit.baton.api.client import ACME, ADMIN, Api, assert_problem, with_keys

HASH = "a" * 64


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_known_key_is_known_whatever_the_case_of_its_scheme(api: Api, scheme: str) -> None:
    """RFC 9110 says so."""
    response = await api.http.get("/api/agent-jobs/job_1", headers={"authorization": f"{scheme} {ACME}"})
    assert response.status_code == 404


async def test_a_hash_is_no_key(api: Api) -> None:
    """Whoever reads the settings cannot use them."""
    hashed = with_keys().api_keys.split(",")[0].split(":")[2]
    assert_problem(await api.request("GET", "/api/agent-jobs/job_1", hashed), 401)


def test_keys_are_read_with_role_and_tenant() -> None:
    """Spaces and an empty end do no harm; none at all is nobody."""
    assert parse_keys(f" client:acme:{HASH} , admin:ops.team-1:{HASH},") == [
        (HASH, Principal("client", "acme")),
        (HASH, Principal("admin", "ops.team-1")),
    ]
    assert parse_keys("") == []


def test_a_client_sees_its_tenants_jobs_and_an_admin_everybodys() -> None:
    """A role of its own, not a tenant."""
    assert Principal("client", "acme").may_see("acme")
    assert not Principal("client", "acme").may_see("other")
    assert Principal("admin", "operators").may_see("acme")


async def test_an_admins_job_is_the_operators(api: Api) -> None:
    """Clients do not see it."""
    job_id = (await api.submitted(ADMIN))["id"]
    assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}"), 403)
