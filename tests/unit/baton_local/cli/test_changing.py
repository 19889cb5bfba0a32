"""Jobs and messages that are changed, checkpoints, forks and scores, against an API that a test answers for."""

from typing import Any

import httpx
import pytest
import respx

from baton_local.cli import jobs
from tests.unit.baton_local.cli.api import JOB, URL, baton, problem, sent

BULK = f"{URL}/api/admin/agent-jobs/bulk"


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
    assert baton("jobs", "retry", "--type", "research", "--dry-run").output == "7 jobs match\n"
    assert sent(route.calls[0])["dryRun"] is True


@pytest.mark.parametrize(
    "arguments", [("cancel",), ("cancel", "job_1", "--status", "pending"), ("retry", "job_1", "--dry-run")]
)
@pytest.mark.usefixtures("api")
def test_neither_nothing_nor_both_are_meant(arguments: tuple[str, ...]) -> None:
    assert baton("jobs", *arguments).exit_code == 2


def test_a_message_is_sent_once_more(api: respx.MockRouter) -> None:
    """One that was applied says what can be done: its job may expect something else."""
    route = api.post(f"{URL}/api/admin/messages/msg_1/replay")
    answer = {"messageId": "msg_1", "standing": "due", "sent": True, "jobId": "job_1", "expected": 1}
    route.respond(json=answer)
    assert baton("replay", "msg_1").output == "msg_1: sent again\n"
    route.respond(json={**answer, "standing": "applied", "sent": False, "expected": 2})
    shown = baton("replay", "msg_1").output
    assert shown == "msg_1: not sent, since it is applied\nits job still expects 2 step(s): baton replay job_1\n"


def test_what_a_job_expects_is_replayed(api: respx.MockRouter) -> None:
    route = api.post(f"{URL}/api/admin/messages/job_1/replay").respond(json={"jobId": "job_1", "driven": 2})
    assert baton("replay", "job_1").output == "job_1: 2 message(s) replayed\n"
    route.respond(json={"jobId": "job_1", "driven": 0})
    assert baton("replay", "job_1").output == "job_1: expects nothing now\n"


ALL = f"{URL}/api/admin/agent-checkpoints"
ONE = {"id": "op_1", "status": "pending", "title": "write a file?", "tool": "write", "arguments": {"path": "a"}}


def test_all_pages_of_what_is_pending_are_listed(api: respx.MockRouter) -> None:
    """With what would run, all of it in one piece whatever the width; a job's own are asked of the job."""
    key = "op_job_dpertefoo8be4sf1c33yw9zg-2-2000001-b94f268216"
    pages = [
        httpx.Response(200, json={"checkpoints": [ONE], "cursor": "c"}),
        httpx.Response(200, json={"checkpoints": []}),
        httpx.Response(200, json={"checkpoints": [{**ONE, "id": key, "title": "run tool book of a trip"}]}),
    ]
    api.get(ALL).mock(side_effect=pages)
    shown = baton("checkpoints", "list").output
    assert shown.startswith('op_1  pending\n    write a file?  {"path": "a"}\n')
    assert key in baton("checkpoints", "list").output
    api.get(f"{URL}/api/agent-jobs/job_1/checkpoints").respond(json={"checkpoints": []})
    assert baton("checkpoints", "list", "--job", "job_1").output == "no such checkpoints\n"


def test_an_approval_may_edit_the_arguments(api: respx.MockRouter) -> None:
    """And must do so in JSON."""
    route = api.post(f"{ALL}/op_1").respond(json={**ONE, "status": "approved"})
    assert baton("checkpoints", "approve", "op_1", "--arguments", '{"path": "b"}').output == "op_1  approved\n"
    assert sent(route.calls[0]) == {"arguments": {"path": "b"}}
    assert baton("checkpoints", "approve", "op_1", "--arguments", "{").exit_code == 2


def test_a_rejection_may_have_a_reason(api: respx.MockRouter) -> None:
    route = api.delete(f"{ALL}/op_1").respond(json={**ONE, "status": "rejected"})
    assert baton("checkpoints", "reject", "op_1").exit_code == 0
    assert baton("checkpoints", "reject", "op_1", "--reason", "not there").output == "op_1  rejected\n"
    assert [sent(call) for call in route.calls] == [{"reason": ""}, {"reason": "not there"}]


def test_a_link_is_printed_alone(api: respx.MockRouter) -> None:
    route = api.post(f"{ALL}/op_1/links").respond(201, json={"url": "https://a/approve/x", "expiresAt": "soon"})
    given = ("--name", "Ann", "--hours", "2", "--may", "reject")
    assert baton("checkpoints", "link", "op_1", *given).output == "https://a/approve/x\n"
    assert sent(route.calls[0]) == {"name": "Ann", "expiresInSeconds": 7200, "edit": False, "may": ["reject"]}


JOBS = f"{URL}/api/agent-jobs"


def test_a_fork_sends_what_was_given(api: respx.MockRouter) -> None:
    route = api.post(f"{JOBS}/job_0/fork").respond(202, json=JOB)
    done = baton("fork", "job_0", "--turn", "2", "--edits", '{"model": "demo"}', "--tools", "again")
    assert (done.exit_code, done.output) == (0, "job_1\n")
    assert sent(route.calls[0]) == {"turn": 2, "toolsRun": "again", "edits": {"model": "demo"}}
    route.mock(return_value=problem(409, "job 'job_0' is pending: only a job that has ended can be forked"))
    refused = baton("fork", "job_0", "--turn", "2")
    assert refused.exit_code == 1
    assert "only a job that has ended" in refused.output


def test_what_is_the_same_is_shown_once(api: respx.MockRouter) -> None:
    """What differs has a line for each side, a turn that one side lacks for one."""

    def turn(*calls: dict[str, Any], text: str = "") -> dict[str, Any]:
        return {"text": text, "calls": calls}

    found = {"tool": "look", "arguments": {"at": 1}, "result": "x"}
    lost = {"tool": "look", "arguments": {"at": 1}, "error": {"type": "Lost", "message": "gone"}}
    turns = [
        {"turn": 1, "change": "same", "left": turn(found), "right": turn(found)},
        {"turn": 2, "change": "changed", "left": turn(found), "right": turn(lost)},
        {"turn": 3, "change": "added", "left": None, "right": turn(text="done")},
    ]
    document = {"left": JOB, "right": {**JOB, "id": "job_2"}, "turns": turns}
    api.get(f"{JOBS}/job_1/diff/job_2").respond(200, json=document)
    assert baton("diff", "job_1", "job_2").output.splitlines() == [
        *("- job_1  completed, 2 turns, $0.000200", "+ job_2  completed, 2 turns, $0.000200"),
        *("turn 1: same", '    look {"at": 1} → x'),
        *("turn 2: changed", '  - look {"at": 1} → x', '  + look {"at": 1} → gone'),
        *("turn 3: added", "  + done", "end: same", "    42"),
    ]


@pytest.mark.parametrize(("text", "value"), [("-0.5", -0.5), ("true", True)])
def test_a_score_is_sent(api: respx.MockRouter, text: str, value: float) -> None:
    route = api.post(f"{URL}/api/agent-jobs/job_1/scores").respond(201, json={})
    done = baton("score", "job_1", "helpful", text, "--comment", "It guesses.")
    assert done.exit_code == 0, done.output
    assert sent(route.calls[0]) == {"name": "helpful", "value": value, "comment": "It guesses."}
    assert baton("score", "job_1", "helpful", "very").exit_code == 2


def test_a_person_is_erased_until_nothing_of_them_runs(api: respx.MockRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_AGAIN_SECONDS", 0.0)
    found = {"jobs": 0, "sessions": 1, "files": 0, "memories": 0, "events": 0, "objects": 0, "running": 1}
    done = {**found, "jobs": 1, "sessions": 0, "running": 0}
    route = api.delete(f"{URL}/api/admin/subjects/u%2F7", params={"tenant": "acme"})
    route.side_effect = [httpx.Response(200, json=found), httpx.Response(200, json=done)]
    erased = baton("jobs", "erase", "u/7", "--tenant", "acme", "--yes")
    assert (erased.exit_code, route.call_count) == (0, 2)
    assert "1 still running" in erased.output
    assert "1 jobs, 1 sessions, 0 files" in erased.output


def test_nobody_is_erased_unasked(api: respx.MockRouter) -> None:
    assert baton("jobs", "erase", "u-7").exit_code == 1
    assert api.calls.call_count == 0
