"""The login takes admin keys only, and leads only to the console."""

import pytest

from baton.api.auth import digest_of
from baton.api.cookie import COOKIE
from baton.storage.ports.access import StoredKey
from tests.unit.baton.api.client import ACME, ADMIN
from tests.unit.baton.console.operator import Operator


async def test_an_admin_key_opens_a_session(stranger: Operator) -> None:
    """The cookie is for this host, over https, and no script's."""
    response = await stranger.log_in()
    assert (response.status_code, response.headers["location"]) == (303, "/console/jobs")
    cookie = response.headers["set-cookie"].lower()
    assert cookie.startswith(COOKIE)
    for attribute in ("httponly", "samesite=lax", "secure", "path=/;", "max-age=28800"):
        assert attribute in cookie
    assert ADMIN not in cookie


@pytest.mark.parametrize(
    ("key", "status", "shown"),
    [("", 401, "no such key"), ("x", 401, "no such key"), (ACME, 403, "client"), ("ключ", 401, "no such key")],
)
async def test_any_other_key_is_refused_in_place(stranger: Operator, key: str, status: int, shown: str) -> None:
    """With the reason beside the field, and no cookie; the key is not shown again."""
    response = await stranger.log_in(key)
    assert response.status_code == status
    assert shown in response.text
    assert "set-cookie" not in response.headers
    assert not key or f'value="{key}"' not in response.text


@pytest.mark.parametrize(
    "after", ["https://evil.example", "//evil.example", "/console/../api", "/console\\x", "/consoles"]
)
async def test_it_leads_nowhere_else(stranger: Operator, after: str) -> None:
    """A link with another target ends at the jobs."""
    assert (await stranger.log_in(after=after)).headers["location"] == "/console/jobs"


async def test_it_leads_back_to_the_page_that_was_requested(stranger: Operator) -> None:
    """With its query."""
    requested = await stranger.http.get("/console/messages?job=job_1")
    markup = (await stranger.http.get(requested.headers["location"])).text
    assert 'name="after" value="/console/messages?job=job_1"' in markup
    response = await stranger.log_in(after="/console/messages?job=job_1")
    assert response.headers["location"] == "/console/messages?job=job_1"


async def test_logging_out_ends_the_session(operator: Operator) -> None:
    """The cookie is taken away."""
    assert (await operator.do("/console/logout")).headers["location"] == "/console/login"
    await operator.see("/console/jobs/new", 303)


async def test_a_login_form_from_another_site_is_refused(stranger: Operator) -> None:
    """Nobody is logged in as somebody else without noticing."""
    response = await stranger.http.post(
        "/console/login", data={"key": ADMIN}, headers={"origin": "https://evil.example"}
    )
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


async def test_what_is_no_form_is_refused(stranger: Operator) -> None:
    """Too large, or not UTF-8."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert (await stranger.http.post("/console/login", content=b"\xff", headers=form)).status_code == 400
    assert (await stranger.http.post("/console/login", content=b"a" * 1_000_001, headers=form)).status_code == 413


async def test_a_session_ends_with_its_key(stranger: Operator) -> None:
    """Once a key is revoked, what it opened is closed within half a minute."""
    key = f"bk_admin_{'a' * 43}"
    slot_table = stranger.stage.api_key_store
    await slot_table.add(StoredKey(digest_of(key), "admin", "acme", "bk_admin_a", "Ada", 0))
    assert (await stranger.log_in(key)).status_code == 303
    await stranger.see("/console/jobs/new")
    await slot_table.revoke(digest_of(key))
    stranger.stage.clock.ms += 30_001
    await stranger.see("/console/jobs/new", 303)
