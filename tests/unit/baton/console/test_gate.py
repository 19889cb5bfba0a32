"""Every page of the console is behind the gate; every form is of one session."""

import re
from typing import cast

import pytest
from starlette.routing import Route

from baton.api.auth import Keys
from baton.api.cookie import COOKIE
from baton.console.routes import console_routes
from baton_events.errors import PublishError
from tests.unit.baton.api.client import ADMIN, with_keys
from tests.unit.baton.console.operator import Operator
from tests.unit.baton.kit.stage import Stage

OPEN = {"/console", "/admin/agent-checkpoints", "/console/login", "/console/static/{version}/{name}"}
# Pages of signed links are for people without a login (test_link_page.py).
OPEN |= {f"/approve/{{token}}{action}" for action in ("", "/approve", "/reject")}


def _guarded(method: str) -> list[str]:
    container = Stage(settings=with_keys()).container
    routes: list[Route] = console_routes(container, Keys(container))
    paths = [route.path for route in routes if method in (route.methods or ()) and route.path not in OPEN]
    return [re.sub(r"{\w+(:path)?}", "some-id", path) for path in paths]


@pytest.mark.parametrize("path", _guarded("GET"))
async def test_a_page_leads_a_stranger_to_the_login(stranger: Operator, path: str) -> None:
    """And from there back to the page."""
    response = await stranger.http.get(path)
    assert response.status_code == 303
    assert response.headers["location"].startswith("/console/login")


@pytest.mark.parametrize("path", _guarded("POST"))
async def test_a_form_of_a_stranger_does_nothing(stranger: Operator, path: str) -> None:
    """Whatever it carries."""
    response = await stranger.http.post(path, data={"csrf": "x"})
    assert (response.status_code, response.headers["location"]) == (303, "/console/login")


@pytest.mark.parametrize("path", _guarded("POST"))
@pytest.mark.parametrize("token", ["", "wrong"])
async def test_a_form_without_the_session_s_token_is_refused(operator: Operator, path: str, token: str) -> None:
    """403, and nothing is done."""
    response = await operator.http.post(path, data={"csrf": token})
    assert response.status_code == 403
    assert "another login" in response.text


async def test_a_form_from_another_site_is_refused(operator: Operator) -> None:
    """Even one that has the token."""
    data = {"csrf": await operator.token()}
    response = await operator.http.post("/console/logout", data=data, headers={"origin": "https://evil.example"})
    assert response.status_code == 403


@pytest.mark.parametrize("cookie", ["", "x", "e30.AAAA", "." * 40, "ä"])
async def test_a_cookie_that_we_did_not_sign_is_nobody_s(stranger: Operator, cookie: str) -> None:
    """Garbage leads to the login, never to an error."""
    headers = [(b"cookie", f"{COOKIE}={cookie}".encode())]
    response = await stranger.http.get("/console/jobs/new", headers=headers)
    assert response.status_code == 303


async def test_a_session_ends_after_eight_hours(operator: Operator) -> None:
    """By the server's clock."""
    operator.stage.clock.ms += 8 * 3600 * 1000 - 1
    await operator.see("/console/jobs/new")
    operator.stage.clock.ms += 1
    await operator.see("/console/jobs/new", 303)


FROM_ELSEWHERE = [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}]


async def test_the_cookie_opens_the_api_until_the_session_ends(operator: Operator) -> None:
    """For the console's own pages, and for a program that has it."""
    path, here = "/api/admin/agent-worker", {"sec-fetch-site": "same-origin"}
    assert (await operator.http.get(path)).status_code == 200
    assert (await operator.http.post(path, headers=here)).status_code == 200
    audit = (await operator.api.request("GET", "/api/admin/audit", ADMIN)).json()["entries"]
    assert [entry["action"] for entry in audit] == [f"POST {path}", "POST /console/login"]
    await operator.do("/console/logout")
    assert (await operator.http.get(path)).status_code == 401


@pytest.mark.parametrize("headers", FROM_ELSEWHERE, ids=str)
async def test_the_cookie_opens_nothing_for_a_page_of_another_site(operator: Operator, headers: dict[str, str]) -> None:
    """403, and nothing is done; a key in the header is no browser's, and opens it."""
    path = "/api/admin/agent-worker"
    assert (await operator.http.delete(path, headers=headers)).status_code == 403
    assert (await operator.api.request("GET", path, ADMIN, headers=headers)).json()["running"] is True


async def test_a_key_opens_no_page(stranger: Operator) -> None:
    """Pages know cookies only."""
    response = await stranger.api.request("GET", "/console/jobs/new", ADMIN)
    assert response.status_code == 303


async def test_every_page_carries_the_strict_policy(operator: Operator) -> None:
    """No script and no style but our own files; no frame; nothing kept by caches."""
    response = await operator.http.get("/console/jobs/new")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert response.headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", response.text)


async def test_an_unknown_page_says_so(operator: Operator) -> None:
    """As a page, with the way on."""
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


async def test_what_an_operator_does_with_a_form_is_kept(operator: Operator) -> None:
    """The login, then who, what and how it ended, without the form's token; looking at pages is not kept."""
    job_id = (await operator.api.submitted())["id"]
    await operator.see(f"/console/jobs/{job_id}")
    await operator.do(f"/console/jobs/{job_id}/cancel", password="x" * 20)
    login, entry = operator.stage.audit_log.entries
    assert (login.action, login.key_id, login.detail) == ("POST /console/login", entry.key_id, {})
    assert (entry.tenant, entry.target, entry.status) == ("operators", f"/console/jobs/{job_id}/cancel", 303)
    assert (len(entry.key_id), entry.detail) == (12, {"body": {"password": "[redacted]"}})


async def test_a_form_that_is_refused_is_kept_too(operator: Operator) -> None:
    """With the status that refused it."""
    await operator.do("/console/jobs/job_unknown/cancel")
    assert [entry.status for entry in operator.stage.audit_log.entries] == [303, 404]


async def test_what_fails_is_a_page_without_internals(operator: Operator) -> None:
    """A queue that is away is 503; anything else 500."""
    failing = [PublishError("secret-host refused"), ValueError("secret-path")]
    operator.stage.records.failing = cast("list[PublishError]", failing)
    for status, shown in ((503, "the queue does not answer"), (500, "internal error")):
        markup = await operator.see("/console/dead-letters", status)
        assert shown in markup
        assert "secret" not in markup


@pytest.mark.parametrize(("site", "status"), [("same-origin", 303), ("cross-site", 403), ("same-site", 403)])
async def test_what_the_browser_says_of_the_sender_counts(operator: Operator, site: str, status: int) -> None:
    """Also where a proxy has changed the host."""
    headers = {"sec-fetch-site": site, "origin": "https://console.example"}
    data = {"csrf": await operator.token()}
    assert (await operator.http.post("/console/logout", data=data, headers=headers)).status_code == status
