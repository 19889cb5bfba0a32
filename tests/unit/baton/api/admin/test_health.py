"""Health: no key needed, nothing told but up or not."""

from baton_events.errors import StoreError
from tests.unit.baton.api.client import Api


async def test_a_process_is_ready_when_its_store_answers(api: Api) -> None:
    """And names no agent: whoever asks shows no key."""
    response = await api.request("GET", "/readyz", "")
    assert response.status_code == 200
    assert response.json() == {"status": "ready", "store": "REST"}


async def test_a_process_is_not_ready_while_its_store_is_down(api: Api) -> None:
    """503, and nothing of our inside."""
    api.stage.reader.down = StoreError("no answer from https://store.internal")
    response = await api.request("GET", "/readyz", "")
    assert response.status_code == 503
    assert "store.internal" not in response.text
    api.stage.reader.down = None
    assert (await api.request("GET", "/readyz", "")).status_code == 200
