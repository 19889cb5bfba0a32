"""How often one may ask."""

from collections.abc import AsyncIterator

import pytest
from starlette.routing import Match

from baton.server.api.admin.health import healthz
from baton.server.api.guard import OPEN_PER_MINUTE, WRONG_PER_MINUTE
from baton.server.api.route import PathRoute
from baton.settings.limits import ADDRESS_BYTES, HEADERS_BYTES
from baton_events.errors import StoreError
from tests.fakes.rate_limit import FakeRateLimit
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, Api, api_of, assert_problem
from tests.unit.baton.server.test_routes import OPERATIONS_KEY, WITH_OPERATIONS

PATH = "/api/agent-jobs/job_1"


@pytest.fixture
def limit() -> FakeRateLimit:
    return FakeRateLimit(2)


@pytest.fixture
async def limited(limit: FakeRateLimit) -> AsyncIterator[Api]:
    async with api_of(Stage(settings=WITH_OPERATIONS, rate_limit=limit)) as made:
        yield made


@pytest.mark.parametrize(
    ("path", "raw_path", "found"),
    [
        ("/s/a/memory", b"/s/a/memory", "a"),
        ("/s/a/memory", b"/s/a%2Fmemory", None),
        ("/s/a/memory", b"/base%2fof/s/a%2fmemory", None),  # a proxy's, which is stripped
        ("/s/a/b/memory", b"/base%2Fof/s/a%2Fb/memory", "a/b"),
        ("/s/a/memory", b"/other%2Fpath", "a"),  # of another host's making
        ("/s/a/memory", None, "a"),  # as an HTTP API of AWS brings it
    ],
)
def test_a_slash_of_an_id_is_told_from_others(path: str, raw_path: bytes | None, found: str | None) -> None:
    route = PathRoute("/s/{id:any}/memory", healthz)
    match, child = route.matches({"type": "http", "method": "GET", "path": path, "raw_path": raw_path})
    assert child.get("path_params") == (None if found is None else {"id": found})
    assert (match is Match.FULL) == (found is not None)


async def test_a_key_that_asks_too_often_learns_when_to_come_back(limited: Api, limit: FakeRateLimit) -> None:
    """429 with Retry-After in whole seconds, rounded up; other keys are not concerned."""
    assert [(await limited.request("GET", PATH)).status_code for _ in range(2)] == [404, 404]
    response = await limited.request("GET", PATH)
    assert "more than 600 requests a minute" in assert_problem(response, 429)
    assert response.headers["retry-after"] == "2"
    assert (await limited.request("GET", PATH, OTHER)).status_code == 404
    assert (await limited.request("GET", "/api/admin/tools", ADMIN)).status_code == 200
    await limited.request("GET", PATH, "wrong")
    assert sorted(limit.taken.values()) == [1, 1, 3], "a wrong key takes nothing"
    assert [len(name) for name in limit.taken] == [12, 12, 12], "a digest's beginning"
    assert not {ACME, ADMIN, OTHER} & {*limit.taken}


async def test_streams_are_limited_apart_from_other_requests_and_take_one_token_each(limit: FakeRateLimit) -> None:
    """The looks at the store while it is open are no requests; who comes back again and again can still submit."""
    follows = FakeRateLimit(2)
    async with api_of(Stage(settings=WITH_OPERATIONS, rate_limit=limit, follow_limit=follows)) as api:
        job_id = (await api.submitted())["id"]
        await api.stage.run()
        taken = limit.taken.total()
        for _ in range(2):
            assert "[DONE]" in (await api.request("GET", f"/api/agent-jobs/{job_id}/stream")).text
        assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}/stream"), 429)
        assert (follows.taken.total(), limit.taken.total()) == (3, taken)
        other = await api.request("GET", f"/api/agent-jobs/{job_id}/stream", OTHER)
        assert_problem(other, 403)  # not 429: each key has a limit of its own


async def test_while_the_store_does_not_answer_nobody_is_kept_out(limited: Api, limit: FakeRateLimit) -> None:
    """The limit is an economy, not a lock."""
    limit.down = StoreError("down")
    assert [(await limited.request("GET", PATH)).status_code for _ in range(5)] == [404] * 5


async def test_what_is_open_is_limited_by_source(limited: Api) -> None:
    """`/readyz` asks the store: nobody without a key may do so without end."""
    for _ in range(OPEN_PER_MINUTE):
        assert (await limited.http.get("/readyz")).status_code == 200
    assert_problem(await limited.http.get("/readyz"), 429)


async def test_a_wrong_method_learns_every_right_one(limited: Api) -> None:
    response = await limited.request("PUT", PATH)
    assert_problem(response, 405)
    assert {"GET", "PATCH"} <= set(response.headers["allow"].replace(" ", "").split(","))
    assert (await limited.http.head("/healthz")).status_code == 200


async def test_an_address_or_headers_that_are_too_large_are_refused(limited: Api, limit: FakeRateLimit) -> None:
    """Before anybody is asked for a key."""
    path = f"{PATH}?x="
    fits = ADDRESS_BYTES - len(path) + 1  # the question mark belongs to neither part
    assert (await limited.request("GET", path + "x" * fits)).status_code == 404
    assert_problem(await limited.request("GET", path + "x" * (fits + 1), ""), 414)
    assert limit.taken.total() == 1
    assert_problem(await limited.request("GET", PATH, headers={"x-large": "x" * HEADERS_BYTES}), 431)


async def test_completions_from_outside_are_not_limited_and_guesses_of_their_key_are(limited: Api) -> None:
    """They tell of work that is done, and jobs wait for it: the right key is let in after any number of wrong ones."""

    async def answered(key: str, times: int) -> list[int]:
        headers = {"x-api-key": key}
        asked = [await limited.request("GET", "/api/operations/op_1", "", headers=headers) for _ in range(times)]
        return [response.status_code for response in asked]

    assert await answered(OPERATIONS_KEY, 50) == [404] * 50
    assert await answered("wrong", WRONG_PER_MINUTE + 1) == [401] * WRONG_PER_MINUTE + [429]
    assert await answered(OPERATIONS_KEY, 1) == [404]
