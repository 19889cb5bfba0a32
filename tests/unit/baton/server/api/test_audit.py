"""What operators do is kept, whatever the endpoint is."""

import logging
from typing import Any

import pytest

from baton.server.api.audit import DETAIL_LIMIT_BYTES
from baton.server.api.route import ApiRoute
from baton_events.errors import StoreError
from baton_events.ids import subject_digest
from tests.unit.baton.server.api.client import ACME, ADMIN, ADMIN_KEY, Api, api_with, digest, store_keys
from tests.unit.baton.server.test_routes import TABLE, path_of, route_name

ANYBODY = f"/api/admin/subjects/{subject_digest('operators', 'x')}"
CHANGES = [route for route in TABLE if route.method != "GET" and route.access in ("client", "admin")]


@pytest.mark.parametrize("route", CHANGES, ids=route_name)
async def test_no_change_by_an_operator_is_forgotten(route: ApiRoute) -> None:
    """Each route of the table that changes something, also when it refuses."""
    async with api_with() as api:
        response = await api.request(route.method, path_of(route), ADMIN, json={"secretKey": "x" * 20})
        [entry] = await api.stage.audit_log.entries()
        assert (entry.action, entry.status) == (f"{route.method} {route.path}", response.status_code)
        assert entry.target == (path_of(route) if "{subject_id" not in route.path else ANYBODY)  # by a digest alone
        assert "x" * 20 not in str(entry)


async def test_an_entry_says_who_did_what_to_which_and_when(api: Api) -> None:
    await store_keys(api.stage)
    job_id = (await api.submitted())["id"]
    await api.request("PATCH", f"/api/agent-jobs/{job_id}?why=late", ADMIN_KEY, json={"action": "cancel"})
    listed = (await api.request("GET", "/api/admin/audit", ADMIN)).json()
    assert listed == {
        "entries": [
            {
                "id": "1800000000000-0",
                "at": "2027-01-15T08:00:00.000Z",
                "key": digest(ADMIN_KEY)[:12],
                "label": "on call",
                "tenant": "operators",
                "action": "PATCH /api/agent-jobs/{job_id}",
                "target": f"/api/agent-jobs/{job_id}?why=late",
                "status": 200,
                "detail": {"body": {"action": "cancel"}},
            }
        ]
    }


async def test_only_what_operators_change_is_kept_and_no_task_that_they_submit(api: Api) -> None:
    await api.submitted(ACME)
    await api.request("GET", "/api/admin/tools", ADMIN)
    await api.submitted(ADMIN, taskDescription="a long story")
    [entry] = await api.stage.audit_log.entries()
    assert (entry.action, entry.detail) == ("POST /api/agent-jobs", {})


LONG = "x" * (DETAIL_LIMIT_BYTES - len('{"a":""}'))


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"why": "late"}', {"body": {"why": "late"}}),
        (f'{{"a":"{LONG}"}}'.encode(), {"body": {"a": LONG}}),
        (f'{{"a":"{LONG}x"}}'.encode(), {"bytes": DETAIL_LIMIT_BYTES + 1}),
        (b'{"why": "\\ud800"}', {"body": {"why": "\ufffd"}}),
        *((body, {"bytes": min(len(body), 2001)}) for body in (b"\xff", b'{"why": "\xff"}', b"[" * 1990, b"[" * 3000)),
        *((body, {"bytes": len(body)}) for body in (b'{"why": NaN}', b'{"why": 1e999}', b"[" * 900 + b"]" * 900)),
        (b'{"a":' + b"9" * 5_000 + b"}", {"bytes": 2001}),
    ],
)
async def test_what_an_operator_has_sent_is_kept_or_its_size(api: Api, body: bytes, detail: dict[str, Any]) -> None:
    """Where it is no JSON that can be kept, or too much of it; the log can be read whatever was sent."""
    await api.request("PATCH", "/api/agent-jobs/x", ADMIN, content=body)
    answer = await api.request("GET", "/api/admin/audit", ADMIN)
    assert answer.status_code == 200, answer.text
    [entry] = answer.json()["entries"]
    assert entry["detail"] == detail


async def test_an_action_goes_through_while_the_log_is_down_and_is_in_the_processs_log(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator who stops a runaway job is not stopped by this."""
    job_id = (await api.submitted())["id"]
    api.stage.audit_log.connection.down = StoreError("down")
    with caplog.at_level(logging.WARNING, "baton.audit"):
        response = await api.request("PATCH", f"/api/agent-jobs/{job_id}", ADMIN, json={"action": "cancel"})
    assert response.status_code == 200
    assert f"/api/agent-jobs/{job_id}" in caplog.text


async def test_the_list_is_read_page_by_page(api: Api) -> None:
    for number in range(5):
        await api.request("DELETE", f"/api/sessions/s{number}/memory", ADMIN)
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        page = (await api.request("GET", f"/api/admin/audit?limit=2{cursor}", ADMIN)).json()
        seen += [entry["target"] for entry in page["entries"]]
        cursor = f"&cursor={page['cursor']}" if "cursor" in page else ""
    assert seen == [f"/api/sessions/s{number}/memory" for number in reversed(range(5))]
    assert cursor == ""
