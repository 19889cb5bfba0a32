"""The API over fakes, and people with keys who use it."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx

from baton.sdk.agents.registry import Registry
from baton.server.api.problem import Code
from baton.server.app import build_app
from baton.settings.settings import Settings
from baton.store.records.access import StoredKey
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage
from tests.unit.baton.server.api.described_answers import hold_to_the_document

ACME, OTHER, ADMIN, OPERATIONS_KEY = "key-of-acme", "key-of-other", "key-of-admin", "key-of-operations"
# Keys of acme and of the operators that the store knows, once `store_keys` was called.
KEY, ADMIN_KEY = "bk_client_" + "a" * 43, "bk_admin_" + "b" * 43
ENTRIES = {ACME: "client:acme", OTHER: "client:other", ADMIN: "admin:operators"}


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def with_keys(settings: Settings = SETTINGS, **changes: Any) -> Settings:
    return replace(settings, api_keys=", ".join(f"{entry}:{digest(key)}" for key, entry in ENTRIES.items()), **changes)


async def store_keys(stage: Stage) -> None:
    await stage.api_key_store.add(StoredKey(digest(KEY), "client", "acme", "bk_client_aaaaaa", "laptop", 1))
    await stage.api_key_store.add(StoredKey(digest(ADMIN_KEY), "admin", "operators", "bk_admin_bbbbbb", "on call", 2))


class Api:
    def __init__(self, stage: Stage, http: httpx.AsyncClient) -> None:
        self.stage = stage
        self.http = http

    async def request(self, method: str, path: str, key: str = ACME, **options: Any) -> httpx.Response:
        headers = {**({"authorization": f"Bearer {key}"} if key else {}), **options.pop("headers", {})}
        response = await self.http.request(method, path, headers=headers, **options)
        hold_to_the_document(method, response.request.url.path, response)
        return response

    async def submit(self, key: str = ACME, idempotency_key: str = "", **fields: Any) -> httpx.Response:
        headers = {"idempotency-key": idempotency_key} if idempotency_key else {}
        return await self.request(
            "POST", "/api/agent-jobs", key, json={"jobType": "answers", **fields}, headers=headers
        )

    async def submitted(self, key: str = ACME, **fields: Any) -> dict[str, Any]:
        response = await self.submit(key, **fields)
        assert response.status_code == 202, response.text
        job: dict[str, Any] = response.json()
        return job

    async def complete(self, operation_id: str, **body: Any) -> httpx.Response:
        path, headers = f"/api/operations/{operation_id}/complete", {"x-api-key": OPERATIONS_KEY}
        return await self.request("POST", path, "", json=body, headers=headers)

    async def read(self, job_id: str, key: str = ACME) -> dict[str, Any]:
        response = await self.request("GET", f"/api/agent-jobs/{job_id}", key)
        assert response.status_code == 200, response.text
        job: dict[str, Any] = response.json()
        return job


@asynccontextmanager
async def api_of(stage: Stage) -> AsyncIterator[Api]:
    transport = httpx.ASGITransport(app=build_app(stage.container), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        yield Api(stage, http)


@asynccontextmanager
async def api_with(registry: Registry | None = None, **settings: Any) -> AsyncIterator[Api]:
    async with api_of(Stage(settings=with_keys(**settings), registry=registry)) as api:
        yield api


def assert_problem(response: httpx.Response, status: int, *fields: str) -> str:
    """A problem document that blames exactly these fields; returns its detail."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["type"], body["status"]) == ("about:blank", status)
    assert (Code[body["code"]].status, Code[body["code"]].title) == (status, body["title"])
    assert sorted(fault["field"] for fault in body.get("errors", [])) == sorted(fields)
    assert all(fault["message"] for fault in body.get("errors", []))
    detail: str = body["detail"]
    return detail
