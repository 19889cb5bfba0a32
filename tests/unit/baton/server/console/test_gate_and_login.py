"""Every page of the console is behind the gate; every form is of one session."""

import re
from typing import cast

import pytest
from starlette.routing import Route

from baton.server.api.auth import COOKIE, Keys, digest_of
from baton.server.console.routes import console_routes
from baton.store.records.access import StoredKey
from baton_events.errors import PublishError, UnreadablePayloadError
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ACME, ADMIN, with_keys
from tests.unit.baton.server.console.operator import Operator

OPEN = {"/admin/agent-checkpoints", "/console/login", "/console/static/{version}/{name}"}
# Pages of signed links are for people without a login (test_link_page.py).
OPEN |= {f"/approve/{{token}}{action}" for action in ("", "/approve", "/reject")}


def _guarded(method: str) -> list[str]:
    container = Stage(settings=with_keys()).container
    routes: list[Route] = console_routes(container, Keys(container))
    paths = [route.path for route in routes if method in (route.methods or ()) and route.path not in OPEN]
    return [re.sub(r"{\w+(:any)?}", "some-id", path) for path in paths]


@pytest.mark.parametrize("path", _guarded("GET"))
async def test_a_page_leads_a_stranger_to_the_login(stranger: Operator, path: str) -> None:
    response = await stranger.http.get(path)
    assert response.status_code == 303
    assert response.headers["location"].startswith("/console/login")


@pytest.mark.parametrize("path", _guarded("POST"))
async def test_a_form_of_a_stranger_or_without_the_sessions_token_does_nothing(operator: Operator, path: str) -> None:
    for token in ("", "wrong"):
        response = await operator.http.post(path, data={"csrf": token})
        assert (response.status_code, "another login" in response.text) == (403, True)
    operator.http.cookies.clear()
    response = await operator.http.post(path, data={"csrf": "x"})
    assert (response.status_code, response.headers["location"]) == (303, "/console/login")


async def test_only_a_cookie_that_we_signed_opens_a_page_for_eight_hours(operator: Operator) -> None:
    """Neither a key, nor garbage, which leads to the login, never to an error."""
    operator.stage.clock.ms += 8 * 3600 * 1000 - 1
    await operator.see("/console/jobs/new")
    operator.stage.clock.ms += 1
    await operator.see("/console/jobs/new", 303)
    operator.http.cookies.clear()
    for cookie in ("", "x", "e30.AAAA", "." * 40, "ä"):
        headers = [(b"cookie", f"{COOKIE}={cookie}".encode()), (b"authorization", f"Bearer {ADMIN}".encode())]
        assert (await operator.http.get("/console/jobs/new", headers=headers)).status_code == 303


async def test_the_cookie_opens_the_api_until_the_session_ends(operator: Operator) -> None:
    """For the console's own pages, and for a program that has it."""
    path, here = "/api/admin/agent-worker", {"sec-fetch-site": "same-origin"}
    assert (await operator.http.get(path)).status_code == 200
    assert (await operator.http.post(path, headers=here)).status_code == 200
    audit = (await operator.api.request("GET", "/api/admin/audit", ADMIN)).json()["entries"]
    assert [entry["action"] for entry in audit] == [f"POST {path}", "POST /console/login"]
    # What the browser says of the sender counts, also where a proxy has changed the host.
    data, proxied = {"csrf": await operator.token()}, here | {"origin": "https://console.example"}
    out = await operator.http.post("/console/logout", data=data, headers=proxied)
    assert (out.status_code, out.headers["location"]) == (303, "/console/login")
    assert (await operator.http.get(path)).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}],
    ids=str,
)
async def test_the_cookie_opens_nothing_for_a_page_of_another_site(operator: Operator, headers: dict[str, str]) -> None:
    """403, and nothing is done, nor by a form; a key in the header is no browser's, and opens it."""
    path, data = "/api/admin/agent-worker", {"csrf": await operator.token()}
    assert (await operator.http.delete(path, headers=headers)).status_code == 403
    for form, fields in (("/console/logout", data), ("/console/login", {"key": ADMIN})):
        refused = await operator.http.post(form, data=fields, headers=headers)
        assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)
    assert (await operator.api.request("GET", path, ADMIN, headers=headers)).json()["running"] is True


async def test_every_page_carries_the_strict_policy(operator: Operator) -> None:
    """No script and no style but our own files; no frame; nothing kept by caches."""
    response = await operator.http.get("/console/jobs/new")
    policy = response.headers["content-security-policy"]
    assert all(each in policy for each in ("default-src 'none'", "frame-ancestors 'none'"))
    assert "unsafe" not in policy
    assert response.headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", response.text)
    assert "there is no page /console/nowhere" in await operator.see("/console/nowhere", 404)


async def test_static_files_are_kept_for_ever_under_their_own_path_only(operator: Operator) -> None:
    """After a deploy, an old page's path must not give a new file for ever."""
    markup = await operator.see("/console/jobs/new")
    found = re.search(r'href="(/console/static/\w+/console.css)"', markup)
    assert found is not None
    response = await operator.http.get(found[1])
    assert (response.headers["content-type"], response.status_code) == ("text/css; charset=utf-8", 200)
    assert "immutable" in response.headers["cache-control"]
    assert (await operator.http.get("/console/static/old/console.css")).headers["cache-control"] == "no-store"
    assert (await operator.http.get("/console/static/old/secret.py")).status_code == 404


async def test_what_fails_is_a_page_without_internals(operator: Operator) -> None:
    await operator.see("/console/jobs")  # which reads the counts of the menu
    failing = [PublishError("secret-host refused"), ValueError("secret-path"), UnreadablePayloadError("k1")]
    operator.stage.records.failing = cast("list[PublishError]", failing)
    shown_of = ((503, "the queue does not answer"), (500, "internal error"), (409, "add the key to read its texts"))
    for status, shown in shown_of:
        markup = await operator.see("/console/dead-letters", status)
        assert shown in markup
        assert "secret" not in markup


async def test_what_an_operator_does_with_a_form_is_kept(operator: Operator) -> None:
    """The login, then who, what and how it ended, without the form's token; looking at pages is not kept."""
    job_id = (await operator.api.submitted())["id"]
    await operator.see(f"/console/jobs/{job_id}")
    await operator.do(f"/console/jobs/{job_id}/cancel", password="x" * 20)
    await operator.do("/console/jobs/job_unknown/cancel")
    login, entry, refused = await operator.stage.audit_log.entries()
    assert (login.action, login.key_id, login.detail) == ("POST /console/login", entry.key_id, {})
    assert (entry.tenant, entry.target, entry.status) == ("operators", f"/console/jobs/{job_id}/cancel", 303)
    assert (len(entry.key_id), entry.detail) == (
        12,
        {"body": {"password": "[redacted]", "answer": ["The job is cancelled."]}},
    )
    assert refused.status == 404


async def test_an_admin_key_opens_a_session(stranger: Operator) -> None:
    """The cookie is for this host, over https, and no script's."""
    response = await stranger.log_in()
    assert (response.status_code, response.headers["location"]) == (303, "/console")
    cookie = response.headers["set-cookie"].lower()
    assert cookie.startswith(COOKIE)
    for attribute in ("httponly", "samesite=lax", "secure", "path=/;", "max-age=28800"):
        assert attribute in cookie
    assert ADMIN not in cookie
    form = {"content-type": "application/x-www-form-urlencoded"}
    for content, status in ((b"\xff", 400), (b"a" * 1_000_001, 413)):
        assert (await stranger.http.post("/console/login", content=content, headers=form)).status_code == status


@pytest.mark.parametrize(
    ("key", "status", "shown"), [("", 401, "no such key"), (ACME, 403, "client"), ("ключ", 401, "no such key")]
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
    assert (await stranger.log_in(after=after)).headers["location"] == "/console"


@pytest.mark.parametrize("page", ["/console/messages?job=job_1", "/console/sessions/a%2541b%3Fc?tenant=acme"])
async def test_it_leads_back_to_the_page_that_was_requested(stranger: Operator, page: str) -> None:
    requested = await stranger.http.get(page)
    markup = (await stranger.http.get(requested.headers["location"])).text
    assert f'name="after" value="{page}"' in markup
    response = await stranger.log_in(after=page)
    assert response.headers["location"] == page


async def test_a_session_ends_with_its_key(stranger: Operator) -> None:
    """Once a key is revoked, what it opened is closed within half a minute."""
    key = f"bk_admin_{'a' * 43}"
    keys = stranger.stage.api_key_store
    await keys.add(StoredKey(digest_of(key), "admin", "acme", "bk_admin_a", "Ada", 0))
    assert (await stranger.log_in(key)).status_code == 303
    await stranger.see("/console/jobs/new")
    await keys.revoke(digest_of(key))
    stranger.stage.clock.ms += 30_001
    await stranger.see("/console/jobs/new", 303)
