"""The console over fakes, and an operator who is logged in."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from baton.server.app import build_app
from tests.unit.baton.kit.stage import BASE, Stage
from tests.unit.baton.server.api.client import ADMIN, Api, with_keys

_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


class Operator:
    """Requests of a browser; `api` is the same app with bearer keys."""

    def __init__(self, stage: Stage, http: httpx.AsyncClient) -> None:
        self.stage = stage
        self.http = http
        self.api = Api(stage, http)

    async def log_in(self, key: str = ADMIN, **fields: str) -> httpx.Response:
        return await self.http.post("/console/login", data={"key": key, **fields})

    async def see(self, path: str, status: int = 200) -> str:
        response = await self.http.get(path)
        assert response.status_code == status, f"{response.status_code} {response.headers} {response.text}"
        assert not re.search(r'="[^"<>]*<|<option value="">\s*</option>', response.text), (
            "an attribute is broken, or a choice has no text"
        )
        return response.text.replace("<wbr>", "")

    async def do(self, path: str, **fields: str) -> httpx.Response:
        return await self.http.post(path, data={"csrf": await self.token(), **fields})

    async def done(self, path: str, **fields: str) -> str:
        response = await self.do(path, **fields)
        assert response.status_code == 303, response.text
        return await self.see(response.headers["location"])

    async def token(self) -> str:
        found = _TOKEN.search(await self.see("/console/jobs/new"))
        assert found is not None
        return found[1]


@asynccontextmanager
async def operator_of(stage: Stage | None = None, *, logged_in: bool = True) -> AsyncIterator[Operator]:
    made = stage or Stage(settings=with_keys())
    transport = httpx.ASGITransport(app=build_app(made.container), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        operator = Operator(made, http)
        if logged_in:
            assert (await operator.log_in()).status_code == 303
        yield operator
