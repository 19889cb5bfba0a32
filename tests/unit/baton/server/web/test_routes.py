"""The chat page and its files."""

import re

import httpx
from starlette.applications import Starlette

from baton.server.api.auth import Keys
from baton.server.api.problem import on_error
from baton.server.web.routes import NAMES, web_routes
from baton_events.errors import BatonError
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ACME, with_keys


def client() -> httpx.AsyncClient:
    container = Stage(settings=with_keys()).container
    app = Starlette(routes=web_routes(container, Keys(container)), exception_handlers={BatonError: on_error})
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x")


async def test_the_page_has_no_code_of_its_own_and_all_its_files_are_there() -> None:
    async with client() as web:
        page = await web.get("/chat")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "script-src 'self'" in page.headers["content-security-policy"]
        named = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
        assert sorted(named) == ["/chat/chat.css", "/chat/chat.js"]
        for name in NAMES:
            assert (await web.get(f"/chat/{name}")).status_code == 200
        for name in ("routes.py", "..%2froutes.py", "chat.htm"):
            assert (await web.get(f"/chat/{name}")).status_code == 404
        assert (await web.get("/chat/agents.json")).status_code == 401
        listed = await web.get("/chat/agents.json", headers={"authorization": f"Bearer {ACME}"})
        assert "adds" in listed.json()
    assert not re.search(r"<script>|<style>| style=| on\w+=", page.text)
