"""The OpenAPI document says what the API does."""

import re

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from baton.server.api.route import ApiRoute
from baton.server.openapi import DESCRIBED, described, document_of
from tests.unit.baton.kit.stage import SETTINGS, Stage
from tests.unit.baton.server.api.client import ADMIN, Api, api_of
from tests.unit.baton.server.test_routes import OPERATIONS_KEY, TABLE, WITH_OPERATIONS, path_of, route_name

DOCUMENT = document_of(TABLE, SETTINGS.worker_base_url)

NAMED = re.compile(r"`([a-z]+_[a-z_]+)`").findall
CHANGES = [route for route in TABLE if route.method != "GET" and route.access != "open"]


async def test_the_document_is_valid_and_served_without_a_key(api: Api) -> None:
    """By the specification's own schema, with every reference resolved."""
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []
    assert (await api.request("GET", "/openapi.json", "")).json() == DOCUMENT
    without_address = document_of(TABLE, "")
    assert ("servers" in DOCUMENT, "servers" in without_address) == (True, False), "the reader's own is right then"


def test_every_route_of_the_table_is_in_it_and_nothing_else() -> None:
    there = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert there == {(route.method, route.path.replace(":any", "")) for route in TABLE}
    assert set(DESCRIBED) <= {route_name(route) for route in TABLE}


def test_descriptions_name_fields_as_bodies_have_them() -> None:
    schemas = DOCUMENT["components"]["schemas"].values()
    named = {
        (name, tuple(each.get("properties", ()))) for each in schemas for name in NAMED(each.get("description", ""))
    }
    assert [name for name, fields in named if name not in fields] == []


@pytest.mark.parametrize("route", CHANGES, ids=route_name)
async def test_what_reads_a_body_says_which(route: ApiRoute) -> None:
    """What is not JSON is 400 exactly where the document names a body."""
    async with api_of(Stage(settings=WITH_OPERATIONS)) as api:
        headers = {"x-api-key": OPERATIONS_KEY}
        job_id = (await api.submitted(ADMIN))["id"]
        response = await api.request(route.method, path_of(route, job_id), ADMIN, headers=headers, content=b"{")
    assert (response.status_code == 400) == (described(route).body is not None)
    if response.status_code == 400 and not route.path.startswith("/mcp"):
        assert "the body is not JSON: EOF while parsing an object" in response.json()["detail"]


@pytest.mark.parametrize("agent", ["adds", "breaks"])
async def test_jobs_have_no_field_that_the_document_lacks(api: Api, agent: str) -> None:
    """That what there is agrees with it is held by each request of these tests."""
    job_id = (await api.submitted(jobType=agent))["id"]
    before = await api.read(job_id)
    await api.stage.run()
    job = await api.read(job_id)
    schemas = DOCUMENT["components"]["schemas"]
    assert (before.keys() | job.keys()) <= schemas["Job"]["properties"].keys()
    assert {name for call in job["toolCalls"] for name in call} <= schemas["ToolCall"]["properties"].keys()


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("PUT", "/healthz")])
async def test_what_no_route_takes_is_a_problem_as_the_document_says(api: Api, method: str, path: str) -> None:
    schema = {"$ref": "#/components/schemas/Problem", "components": DOCUMENT["components"]}
    OAS31Validator(schema).validate((await api.request(method, path, "")).json())
