"""`baton checkpoints` against an API that a test answers for."""

from collections.abc import Iterator

import httpx
import pytest
import respx

from tests.unit.baton_local.cli.api import URL, baton, sent

ALL = f"{URL}/api/admin/agent-checkpoints"
ONE = {"id": "op_1", "status": "pending", "title": "write a file?", "tool": "write", "arguments": {"path": "a"}}


@pytest.fixture(autouse=True)
def api() -> Iterator[respx.MockRouter]:
    """Nothing is asked of anybody else."""
    with respx.mock(assert_all_called=False) as router:
        yield router


def test_all_pages_of_what_is_pending_are_listed(api: respx.MockRouter) -> None:
    """With what would run."""
    pages = [
        httpx.Response(200, json={"checkpoints": [ONE], "cursor": "c"}),
        httpx.Response(200, json={"checkpoints": []}),
    ]
    api.get(ALL).mock(side_effect=pages)
    shown = baton("checkpoints", "list").output
    for text in ("op_1", "write a file?", '{"path": "a"}'):
        assert text in shown


def test_an_id_is_shown_in_one_piece(api: respx.MockRouter) -> None:
    """So that it can be copied."""
    key = "op_job_dpertefoo8be4sf1c33yw9zg-2-2000001-b94f268216"
    api.get(ALL).respond(json={"checkpoints": [{**ONE, "id": key, "title": "run tool book of a trip"}]})
    assert key in baton("checkpoints", "list").output


def test_a_job_s_own_are_asked_of_the_job(api: respx.MockRouter) -> None:
    api.get(f"{URL}/api/agent-jobs/job_1/checkpoints").respond(json={"checkpoints": []})
    assert baton("checkpoints", "list", "--job", "job_1").output == "no such checkpoints\n"


def test_an_approval_may_edit_the_arguments(api: respx.MockRouter) -> None:
    """And must do so in JSON."""
    route = api.post(f"{ALL}/op_1").respond(json={**ONE, "status": "approved"})
    assert baton("checkpoints", "approve", "op_1", "--arguments", '{"path": "b"}').output == "op_1  approved\n"
    assert sent(route.calls[0]) == {"arguments": {"path": "b"}}
    assert baton("checkpoints", "approve", "op_1", "--arguments", "{").exit_code == 2


def test_a_rejection_needs_a_reason(api: respx.MockRouter) -> None:
    route = api.delete(f"{ALL}/op_1").respond(json={**ONE, "status": "rejected"})
    assert baton("checkpoints", "reject", "op_1").exit_code == 2
    assert baton("checkpoints", "reject", "op_1", "--reason", "not there").output == "op_1  rejected\n"
    assert sent(route.calls[0]) == {"reason": "not there"}


def test_a_link_is_printed_alone(api: respx.MockRouter) -> None:
    route = api.post(f"{ALL}/op_1/links").respond(201, json={"url": "https://a/approve/x", "expiresAt": "soon"})
    given = ("--name", "Ann", "--hours", "2", "--may", "reject")
    assert baton("checkpoints", "link", "op_1", *given).output == "https://a/approve/x\n"
    assert sent(route.calls[0]) == {"name": "Ann", "expiresInSeconds": 7200, "edit": False, "may": ["reject"]}
