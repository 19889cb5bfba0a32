"""Jobs that a filter means, and messages that are sent once more, from the command line."""

from collections.abc import Iterator

import httpx
import pytest
import respx

from tests.unit.baton_local.cli.api import URL, baton, sent

BULK = f"{URL}/api/admin/agent-jobs/bulk"


@pytest.fixture(autouse=True)
def api() -> Iterator[respx.MockRouter]:
    """Nothing is asked of anybody else."""
    with respx.mock(assert_all_called=False) as router:
        yield router


def test_all_pages_of_a_filter_are_changed(api: respx.MockRouter) -> None:
    pages = [
        httpx.Response(200, json={"matched": 100, "changed": 99, "cursor": "c"}),
        httpx.Response(200, json={"matched": 5, "changed": 5}),
    ]
    route = api.post(BULK).mock(side_effect=pages)
    done = baton("jobs", "cancel", "--status", "pending", "--session", "s")
    assert done.stdout == "104 of 105 jobs changed\n"
    assert done.stderr == "100 jobs so far ...\n"
    assert sent(route.calls[1]) == {
        "action": "cancel",
        "filter": {"status": "pending", "sessionId": "s"},
        "dryRun": False,
        "cursor": "c",
    }


def test_a_dry_run_changes_nothing(api: respx.MockRouter) -> None:
    route = api.post(BULK).respond(json={"matched": 7, "changed": 0})
    assert baton("jobs", "retry", "--type", "research", "--dry-run").output == "7 jobs are meant\n"
    assert sent(route.calls[0])["dryRun"] is True


@pytest.mark.parametrize(
    "arguments", [("cancel",), ("cancel", "job_1", "--status", "pending"), ("retry", "job_1", "--dry-run")]
)
def test_neither_nothing_nor_both_are_meant(arguments: tuple[str, ...]) -> None:
    assert baton("jobs", *arguments).exit_code == 2


def test_a_message_is_sent_once_more(api: respx.MockRouter) -> None:
    api.post(f"{URL}/api/admin/messages/msg_1/replay").respond(
        json={"messageId": "msg_1", "standing": "due", "sent": True, "jobId": "job_1", "expected": 1}
    )
    assert baton("replay", "msg_1").output == "msg_1: sent again\n"


def test_a_message_that_was_applied_says_what_can_be_done(api: respx.MockRouter) -> None:
    """Its job may expect something else."""
    api.post(f"{URL}/api/admin/messages/msg_1/replay").respond(
        json={"messageId": "msg_1", "standing": "applied", "sent": False, "jobId": "job_1", "expected": 2}
    )
    shown = baton("replay", "msg_1").output
    assert shown == "msg_1: not sent, since it is applied\nits job still expects 2 step(s): baton replay job_1\n"


def test_what_a_job_expects_is_redriven(api: respx.MockRouter) -> None:
    route = api.post(f"{URL}/api/admin/agent-jobs/job_1/drive").respond(json={"jobId": "job_1", "driven": 2})
    assert baton("replay", "job_1").output == "job_1: 2 step(s) redriven\n"
    route.respond(json={"jobId": "job_1", "driven": 0})
    assert baton("replay", "job_1").output == "job_1: expects nothing now\n"
