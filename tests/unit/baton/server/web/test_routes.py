"""The chat page and its files."""

import re

import httpx
from starlette.applications import Starlette

from baton.server.api.problem import on_error
from baton.server.web.routes import NAMES, web_routes
from baton.settings.settings import read_settings
from baton_events.errors import BatonError


def client(**settings: str) -> httpx.AsyncClient:
    app = Starlette(routes=web_routes(read_settings(settings)), exception_handlers={BatonError: on_error})
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x")


async def test_the_page_has_no_code_of_its_own_and_all_its_files_are_there() -> None:
    async with client(ENABLE_CHAT_PAGE="true") as web:
        page = await web.get("/chat")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "script-src 'self'" in page.headers["content-security-policy"]
        named = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
        assert sorted(named) == ["/chat/chat.css", "/chat/chat.js"]
        for name in NAMES:
            assert (await web.get(f"/chat/{name}")).status_code == 200
        for name in ("routes.py", "..%2froutes.py", "chat.htm"):
            assert (await web.get(f"/chat/{name}")).status_code == 404
    async with client() as web:
        assert (await web.get("/chat")).status_code == 404, "by default a deployment has none"
    assert not re.search(r"<script>|<style>| style=| on\w+=", page.text)
