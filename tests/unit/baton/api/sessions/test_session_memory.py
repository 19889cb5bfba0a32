"""`DELETE /api/sessions/{id}/memory`: forgets what is remembered of a session."""

import pytest

from baton_events.errors import MemoryUnavailableError
from tests.fakes import FakeLongTermMemory
from tests.unit.baton.api.client import ACME, ADMIN, OTHER, api_of, assert_problem, with_keys
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.memory.sample_entries import an_entry


@pytest.mark.parametrize("session", ["session_1", "a session/with %2F ü", "x" * 200])
async def test_a_session_is_forgotten(session: str) -> None:
    """Whatever text its id is; in both memories, of its tenant alone; a second time there is nothing."""
    index = FakeLongTermMemory()
    async with api_of(Stage(settings=with_keys(), long_term_memory=index)) as api:
        await api.stage.container.memory.store("acme", an_entry("of it", session=session))
        path = f"/api/sessions/{session.replace('%', '%25')}/memory"
        assert (await api.request("DELETE", path, OTHER)).json()["forgotten"] == {"session": 0, "longTerm": 0}
        for count, key in ((1, ADMIN), (0, ACME)):
            answer = await api.request("DELETE", f"{path}?tenant=acme", key)
            assert answer.status_code == 200, answer.text
            assert answer.json() == {"sessionId": session, "forgotten": {"session": count, "longTerm": count}}
        assert index.entries == {}
        assert await api.stage.container.memory.recent("acme", session) == ()
        assert_problem(await api.request("DELETE", f"/api/sessions/{'x' * 201}/memory"), 404)


async def test_an_outage_is_worth_another_try() -> None:
    index = FakeLongTermMemory()
    async with api_of(Stage(settings=with_keys(), long_term_memory=index)) as api:
        index.down = MemoryUnavailableError("no answer from the vector index at http://inner.example")
        detail = assert_problem(await api.request("DELETE", "/api/sessions/session_1/memory"), 503)
        assert "inner.example" not in detail
