"""The function of API and console: what it serves, and what it leaves to others."""

from dataclasses import replace

import httpx
import pytest

from baton.site import build_site
from baton_events.schema import WEBHOOK_ENDPOINTS
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage


async def status(path: str, *, base: str = BASE, method: str = "GET") -> int:
    """How the site answers where its public URL is `base`."""
    site = build_site(Stage(settings=replace(SETTINGS, worker_base_url=base)).container)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=site), base_url="https://fn.example.com") as client:
        return (await client.request(method, path)).status_code


@pytest.mark.parametrize("endpoint", WEBHOOK_ENDPOINTS)
async def test_webhooks_are_not_served(endpoint: str) -> None:
    """They are functions of their own, with the time and the libraries that they need."""
    assert await status(endpoint, method="POST") == 404


@pytest.mark.parametrize("path", ["/healthz", "/api/v2/healthz"])
async def test_it_answers_below_the_path_of_its_public_url(path: str) -> None:
    """A stage or a base path in front of it changes nothing."""
    assert await status(path, base="https://fn.example.com/api/v2") == 200
