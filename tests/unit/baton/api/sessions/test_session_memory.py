"""`DELETE /api/sessions/{id}/memory`: forgets what is remembered of a session."""

import pytest

from baton_events.errors import MemoryUnavailableError
from tests.fakes import FakeLongTermMemory
from tests.unit.baton.api.client import ADMIN, Api, api_of, assert_problem, with_keys
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.memory.sample_entries import an_entry


async def remembered(api: Api, session: str = "session_1", tenant: str = "acme") -> None:
    """Something is remembered of a session."""
    await api.stage.container.memory.store(tenant, an_entry(f"of {session}", session=session))


@pytest.mark.parametrize("session", ["session_1", "a session/with %2F ü", "x" * 200])
async def test_a_session_is_forgotten(session: str) -> None:
    """Whatever text its id is; in both memories; a second time there is nothing."""
    index = FakeLongTermMemory()
    async with api_of(Stage(settings=with_keys(), long_term_memory=index)) as api:
        await remembered(api, session)
        path = f"/api/sessions/{session.replace('%', '%25')}/memory"
        for count in (1, 0):
            answer = await api.request("DELETE", path)
            assert answer.status_code == 200, answer.text
            assert answer.json() == {"sessionId": session, "forgotten": {"session": count, "longTerm": count}}
        assert index.entries == {}
        assert await api.stage.container.memory.recent("acme", session) == ()


async def test_a_client_forgets_for_its_own_tenant_only(api: Api) -> None:
    """An admin for the tenant that it names."""
    await remembered(api)
    assert_problem(await api.request("DELETE", "/api/sessions/session_1/memory?tenant=acme", "key-of-other"), 403)
    other = await api.request("DELETE", "/api/sessions/session_1/memory", "key-of-other")
    assert other.json()["forgotten"]["session"] == 0
    admin = await api.request("DELETE", "/api/sessions/session_1/memory?tenant=acme", ADMIN)
    assert admin.json()["forgotten"] == {"session": 1, "longTerm": 0}


async def test_an_id_that_no_session_can_have_is_unknown(api: Api) -> None:
    """Longer than a submission allows."""
    assert_problem(await api.request("DELETE", f"/api/sessions/{'x' * 201}/memory"), 404)


async def test_an_outage_is_worth_another_try() -> None:
    """It may be forgotten in part."""
    index = FakeLongTermMemory()
    async with api_of(Stage(settings=with_keys(), long_term_memory=index)) as api:
        index.down = MemoryUnavailableError("no answer from the vector index at http://inner.example")
        detail = assert_problem(await api.request("DELETE", "/api/sessions/session_1/memory"), 503)
        assert "inner.example" not in detail
