"""The OpenAPI document says what the API does."""

from dataclasses import replace
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from baton.api.openapi import DESCRIBED, OpenApi, described
from baton.api.route import ApiRoute
from tests.unit.baton.api.client import ADMIN, Api, api_of
from tests.unit.baton.api.test_routes import OPERATIONS_KEY, TABLE, WITH_OPERATIONS, path_of, route_name
from tests.unit.baton.kit.stage import SETTINGS, Stage

DOCUMENT = OpenApi(TABLE, SETTINGS.worker_base_url).document

CHANGES = [route for route in TABLE if route.method != "GET" and route.access != "open"]


def schema_of(name: str) -> Any:
    """A validator of what the document says under this name."""
    return OAS31Validator({"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]})


def test_the_document_is_valid() -> None:
    """By the specification's own schema, with every reference resolved."""
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


async def test_it_is_served_without_a_key(api: Api) -> None:
    """As it is made."""
    response = await api.request("GET", "/openapi.json", "")
    assert response.status_code == 200
    assert response.json() == DOCUMENT


def test_every_route_of_the_table_is_in_it_and_nothing_else() -> None:
    """One operation each."""
    there = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert there == {(route.method, route.path.replace(":path", "")) for route in TABLE}
    assert set(DESCRIBED) <= {route_name(route) for route in TABLE}


@pytest.mark.parametrize("route", CHANGES, ids=route_name)
async def test_what_reads_a_body_says_which(route: ApiRoute) -> None:
    """What is not JSON is 400 exactly where the document names a body."""
    async with api_of(Stage(settings=WITH_OPERATIONS)) as api:
        headers = {"x-api-key": OPERATIONS_KEY}
        job_id = (await api.submitted(ADMIN))["id"]
        response = await api.request(route.method, path_of(route, job_id), ADMIN, headers=headers, content=b"{")
    assert (response.status_code == 400) == (described(route).body is not None)


@pytest.mark.parametrize("agent", ["answers", "adds", "breaks"])
async def test_jobs_are_as_the_document_says(api: Api, agent: str) -> None:
    """Before, and after their end; with tool calls and without."""
    job_id = (await api.submitted(jobType=agent))["id"]
    before = await api.read(job_id)
    await api.stage.run()
    for job in (before, await api.read(job_id)):
        assert [error.message for error in schema_of("Job").iter_errors(job)] == []
        assert set(job) <= set(DOCUMENT["components"]["schemas"]["Job"]["properties"])
        for call in job["toolCalls"]:
            assert set(call) <= set(DOCUMENT["components"]["schemas"]["ToolCall"]["properties"])
    listed = (await api.request("GET", "/api/agent-jobs")).json()
    assert [error.message for error in schema_of("Jobs").iter_errors(listed)] == []


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [("POST", "/api/agent-jobs", ADMIN), ("GET", "/nowhere", ""), ("PUT", "/healthz", ""), ("GET", "/api/metrics", "")],
)
async def test_problems_are_as_the_document_says(api: Api, method: str, path: str, key: str) -> None:
    """Also those of no route at all."""
    response = await api.request(method, path, key, json={"jobType": 1} if method == "POST" else None)
    assert [error.message for error in schema_of("Problem").iter_errors(response.json())] == []


def test_bodies_are_those_that_are_parsed() -> None:
    """With their names on the wire and their limits."""
    body: dict[str, Any] = DOCUMENT["components"]["schemas"]["SubmitBody"]
    assert body["properties"]["priority"] == {
        "default": 5,
        "maximum": 9,
        "minimum": 0,
        "title": "Priority",
        "type": "integer",
    }
    assert body["required"] == ["jobType"]


def test_without_a_public_address_no_server_is_named() -> None:
    """The reader's own is right then."""
    assert "servers" not in OpenApi(TABLE, replace(SETTINGS, worker_base_url="").worker_base_url).document
